/** No float touches money: in the sources, in SQL, in the entities and in the contract. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import {
  buildSchema,
  type GraphQLArgument,
  getNamedType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isScalarType,
} from "graphql";
import { getMetadataArgsStorage } from "typeorm";
import { entities } from "../../entities";
import { type Finding, floatsInSql, floatsInTypeScript } from "./floats";

const root = join(__dirname, "../..");
const folders = ["src", "resolvers", "subscriptions", "schema", "entities", "demo", "bin", "examples"];

/** Numbers that are made of money's or a share's exact value, and are never booked, compared with it or handed to anybody as an amount. */
const exceptions: Readonly<Record<string, readonly { readonly code: string; readonly because: string }[]>> = {
  "src/funding/coverage-metrics.ts": [
    { code: "Number(ratioPpm) / 1_000_000", because: "a gauge: whether coverage suffices is decided in whole numbers" },
    { code: "Number(ratioPpm)", because: "the same" },
  ],
  "src/ledger/ledger-metrics.ts": [
    { code: "Number(reconciliation.last?.driftNano ?? 0n)", because: "a gauge that alarms when it is not 0" },
  ],
  "src/pricing/fixing.ts": [
    {
      code: "Number(mulDivDown(BigInt(byPrice.length), trimPpm, PPM))",
      because: "how many observations are cut off: a count",
    },
  ],
  "src/routing/supply.ts": [
    {
      code: "Number( pricePerMillionTokens(route.quote.throughput, route.quote.fixingNanoUsdPerGpuHour, route.quote.card) .completionNanoCredit, )",
      because: "a weight among endpoints: nothing is charged by it",
    },
  ],
};

const files = folders.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => relative(root, join(root, folder, name))),
);
const textOf = (file: string) => readFileSync(join(root, file), "utf8");

describe("the sources", () => {
  it("are all read", () => {
    expect(files.length).toBeGreaterThan(200);
    for (const one of [
      "src/money/nano.ts",
      "src/pricing/settlement.ts",
      "entities/migrations/0011-ledger-functions.ts",
    ]) {
      expect(files).toContain(one);
    }
  });

  it("make no number of money, compute with none and format none", () => {
    const found: Record<string, readonly Finding[]> = {};
    for (const file of files) {
      const known = (exceptions[file] ?? []).map(({ code }) => code);
      const left = floatsInTypeScript(textOf(file)).filter(({ code }) => !known.includes(code));
      if (left.length > 0) found[file] = left;
    }
    expect(found).toEqual({});
  });

  it("have no exception that is no longer needed", () => {
    const stale = Object.entries(exceptions).flatMap(([file, known]) => {
      const found = floatsInTypeScript(textOf(file)).map(({ code }) => code);
      return known.filter(({ code }) => !found.includes(code)).map(({ code }) => `${file}: ${code}`);
    });
    expect(stale).toEqual([]);
  });

  it("hold no SQL that casts to a float, stores one, or stores money without bounds", () => {
    const found = files.flatMap((file) => floatsInSql(textOf(file)).map((finding) => ({ file, ...finding })));
    expect(found).toEqual([]);
  });
});

describe("what would be a fault is found", () => {
  it.each([
    ["const a = Number(lot.availableNanoCredit);", "Number(lot.availableNanoCredit)"],
    ["const a = Number(row.amount ?? 0n) / 1e9;", "Number(row.amount ?? 0n)"],
    ["const a = parseFloat(input.amount);", "parseFloat(input.amount)"],
    ["const a = Number.parseFloat(String(feeNanoUsd));", "Number.parseFloat(String(feeNanoUsd))"],
    ["const a = parseInt(row['price_nano_usd'], 10);", "parseInt(row['price_nano_usd'], 10)"],
    ["const a = +charge.priceNanoUsd;", "+charge.priceNanoUsd"],
    ["const a = +this.totals?.priceNanoUsd!;", "+this.totals?.priceNanoUsd!"],
    ["const a = Math.round(share.multiplierPpm);", "Math.round(share.multiplierPpm)"],
    ["const a = Math.max(...lots.map((l) => 1), totalNano);", "Math.max(...lots.map((l) => 1), totalNano)"],
    ["const a = (amount as any).toFixed(2);", "(amount as any).toFixed(2)"],
    ["const a = (amount as any) * 1.35;", "(amount as any) * 1.35"],
    ["const a = 100 / (gpuNanos as any);", "100 / (gpuNanos as any)"],
    ["class A { fee() { return { usd: Number(this.feeNanoUsdPerGpuHour) }; } }", "Number(this.feeNanoUsdPerGpuHour)"],
    ["/** äöü €. */\nconst a = Number(feeNanoUsd);", "Number(feeNanoUsd)"],
  ])("%s", (source, code) => {
    expect(floatsInTypeScript(source).map((finding) => finding.code)).toContain(code);
  });

  it.each([
    "const a = BigInt(row.amount);",
    "const a = mulDivHalfEven(amountNano, 1n, 2n);",
    "const a = Number(row.count);",
    "const a = Math.ceil(ageMs / 1000);",
    "const a = amountNanoUsd + 1n;",
    "const a = prefix + row.amount;",
    "const a = lots.length * 2;",
    "// Number(amountNano) would lose digits\nconst a = 1;",
  ])("%s is none", (source) => expect(floatsInTypeScript(source)).toEqual([]));

  it.each([
    "  price_nano_usd double precision NOT NULL,",
    "  price_nano_usd real,",
    '  "share" float8 DEFAULT 0,',
    "  weight FLOAT NOT NULL",
    "SELECT sum(amount_nano_usd)::float8 FROM t",
    "SELECT sum(amount_nano_usd) :: double precision FROM t",
    "SELECT CAST(amount_nano_usd AS real) FROM t",
    "  amount_nano_usd numeric NOT NULL,",
    "  fee_nano_credit numeric(20, 9) NOT NULL,",
    "SELECT power(multiplier_ppm, 2)",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount)",
  ])("SQL: %s", (text) => expect(floatsInSql(text)).toHaveLength(1));

  it.each([
    "  amount_nano_usd bigint NOT NULL,",
    "  room numeric;",
    "SELECT div(s.captured::numeric * 1000000, s.multiplier_ppm)::bigint AS release",
    "  -- double precision would lose digits",
    " * The real answer: float.",
  ])("SQL: %s is none", (text) => expect(floatsInSql(text)).toEqual([]));
});

describe("the entities", () => {
  it("keep every amount in a bigint that is read as one", () => {
    const columns = getMetadataArgsStorage().columns.filter(({ target }) => entities.includes(target as never));
    const money = columns.filter(({ propertyName }) => /(Nano(Usd|Credit)?(Per\w+)?|gpuNanos)$/.test(propertyName));
    expect(money.length).toBeGreaterThan(20);
    const faulty = money.filter(({ options }) => {
      const { type, transformer } = options;
      const read = (transformer as { from?(value: unknown): unknown } | undefined)?.from?.("9007199254740993");
      return type !== "bigint" || read !== 9007199254740993n;
    });
    expect(faulty.map(({ target, propertyName }) => `${(target as { name: string }).name}.${propertyName}`)).toEqual(
      [],
    );
  });

  it("have no column that is a float", () => {
    const columns = getMetadataArgsStorage().columns.map(({ options, propertyName }) => [propertyName, options.type]);
    expect(columns.filter(([, type]) => /float|double|real|decimal|numeric|money/.test(String(type)))).toEqual([]);
  });
});

/** Words that stand for money, or for what multiplies it. */
const MONEY_WORD =
  /(amount|price|fees?|charge[ds]?|total|costs?|revenue|accrued|balance|backing|limit|committed|funded|issued|held|spent|expired|blocked|breakage|holdback|payable|premium|share|multiplier|coverage|ratio|worth|credits?|confidence)$/i;
/** Points of the rate limit, which are no money. */
const points: readonly string[] = ["RateLimit.cost: Int", "RateLimit.limit: Int"];
const EXACT = new Set(["Decimal", "BigInt"]);

describe("the contract", () => {
  const types = Object.values(buildSchema(readFileSync(join(root, "schema/schema.graphql"), "utf8")).getTypeMap());
  const fields = types
    .filter((type) => !type.name.startsWith("__"))
    .flatMap((type) =>
      isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)
        ? Object.values(type.getFields()).flatMap((field) => [
            { name: `${type.name}.${field.name}`, type: getNamedType(field.type) },
            ...("args" in field
              ? field.args.map((arg: GraphQLArgument) => ({
                  name: `${type.name}.${field.name}(${arg.name})`,
                  type: getNamedType(arg.type),
                }))
              : []),
          ])
        : [],
    );

  it("has no Float at all", () => {
    expect(fields.filter(({ type }) => type.name === "Float").map(({ name }) => name)).toEqual([]);
  });

  it("names no money that is not a Decimal, a BigInt or made of them", () => {
    const faulty = fields.filter(
      ({ name, type }) => MONEY_WORD.test(name.replace(/\)$/, "")) && isScalarType(type) && !EXACT.has(type.name),
    );
    expect(faulty.map(({ name, type }) => `${name}: ${type.name}`).filter((line) => !points.includes(line))).toEqual(
      [],
    );
    expect(fields.filter(({ name, type }) => MONEY_WORD.test(name) && EXACT.has(type.name)).length).toBeGreaterThan(10);
  });
});
