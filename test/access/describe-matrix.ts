/** The tests of the access matrix, for a process with all checks and for one in which only the database's are left. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildSchema, type GraphQLField, parse } from "graphql";
import { type Following, following } from "../support/follow";
import { until } from "../support/leftovers";
import { everythingOf, type OperationKind, rootFields } from "./everything";
import { type Asker, askersOf, casesOf, changesBetween, digestOf, lastWriteOf, leaksIn } from "./matrix";
import { type Arguments, mutations, nodeOf, queries, type Row, subscriptions } from "./operations";
import { type Marker, type PlantedWorld, plantWorld, thingNames } from "./planted-world";

const schema = buildSchema(readFileSync(join(__dirname, "../../schema/schema.graphql"), "utf8"));

/** Thousands of broad operations within a minute. */
const environment = { GRAPHQL_POINTS_PER_MINUTE: "1000000000", GRAPHQL_ANONYMOUS_POINTS_PER_MINUTE: "1000000000" };
/** `node` is asked for every type by everybody: more than a thousand requests. */
const NODE_TIMEOUT_MS = 120_000;
/** An operation that is refused for its form tells nothing about access. */
const formal = new Set(["THROTTLED", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"]);

interface Setting {
  readonly checks: "the application's and PostgreSQL's" | "PostgreSQL's alone";
}

export function describeMatrix({ checks }: Setting): void {
  const whole = checks === "the application's and PostgreSQL's";
  let world: PlantedWorld;
  let askers: Asker[];

  beforeAll(async () => {
    world = await plantWorld(schema, environment);
    if (!whole) world = { ...world, markers: world.markers.map(asRowsShow) };
    askers = await askersOf(world);
    // Row policies know tenants, not keys: one key of each will do.
    if (!whole) askers = askers.filter(({ kind, reads, writes }) => kind === null || (reads && writes));
  });
  afterAll(() => world?.api.close());

  it("has a row for every operation of the schema, and no row for what is not there", () => {
    const names = (kind: OperationKind) =>
      rootFields(schema, kind)
        .map(({ name }) => name)
        .toSorted();
    expect(Object.keys({ ...queries, node: nodeOf }).toSorted()).toEqual(names("query"));
    expect(Object.keys(mutations).toSorted()).toEqual(names("mutation"));
    expect(Object.keys(subscriptions).toSorted()).toEqual(names("subscription"));
  });

  describe.each(rootFields(schema, "query").map(({ name }) => name))("the query %s", (name) => {
    const field = fieldNamed("query", name);
    const documentOf = ({ types }: Row) => everythingOf(schema, "query", field, types);

    it(
      "shows nobody what is another's",
      async () => {
        const leaks: string[] = [];
        const askAll = async (row: Row, document: string, asker: Asker) => {
          for (const one of await casesOf(row, asker, world)) {
            const { data, errors } = await ask(asker, document, one.args);
            const reads = asker.reads || !whole || row.wordless === true || name === "viewer";
            const found = leaksIn({ data, errors }, reads ? asker : { sees: "" }, world);
            if (found.length > 0) leaks.push(`${asker.name}, ${one.name}: ${found.join(" ")}`);
          }
        };
        // All askers at once: what one of them left on a connection or in a cache must not serve the next.
        for (const row of rowsOf(field)) {
          const document = documentOf(row);
          await Promise.all(askers.map((asker) => askAll(row, document, asker)));
        }
        expect(leaks).toEqual([]);
      },
      NODE_TIMEOUT_MS,
    );

    if (whole)
      it("answers those whose it is", async () => {
        const operator = askers.find(({ kind }) => kind === "OPERATOR")!;
        for (const row of rowsOf(field)) {
          const [own] = await casesOf(row, operator, world);
          const { data, errors } = await ask(operator, documentOf(row), own!.args);
          expect(errors).toBeUndefined();
          // Were no word planted in what it answers, that it leaks none would tell nothing.
          const words = world.markers.filter(({ text }) => JSON.stringify(data).toLowerCase().includes(text));
          expect(words.length > 0 || row.wordless === true).toBe(true);
        }
      });
  });

  describe.each(rootFields(schema, "subscription").map(({ name }) => name))("the subscription %s", (name) => {
    const field = fieldNamed("subscription", name);
    const row = subscriptions[field.name]!;
    it("tells nobody what is another's, at its start or later", async () => {
      const leaks: string[] = [];
      for (const asker of askers) leaks.push(...(await followAll(world, asker, field, row)));
      expect(leaks).toEqual([]);
    });
  });

  describe.each(inOrder(rootFields(schema, "mutation").map(({ name }) => name)))("the mutation %s", (name) => {
    const field = fieldNamed("mutation", name);
    const document = everythingOf(schema, "mutation", field);
    const row = mutations[field.name]!;

    it("changes nothing of others, tells nothing of them, and does its work for those whose it is", async () => {
      const wrongs: string[] = [];
      let works = !whole;
      let lastWrite = await lastWriteOf(world);
      let before = await digestOf(world);
      for (const asker of strangersFirst(askers, row)) {
        for (const { name: manner, args, rightful } of await casesOf(row, asker, world)) {
          const { data, errors } = await ask(asker, document, args);
          const write = await lastWriteOf(world);
          const after = write === lastWrite ? before : await digestOf(world);
          const changes = changesBetween(before, after);
          [before, lastWrite] = [after, write];
          const told = leaksIn({ data, errors }, asker, world);
          const changed = changes.filter((change) => leaksIn(change, asker, world).length > 0);
          const mayChange = rightful && mayDo(asker, row);
          if (mayChange && !works) {
            works = changes.length > 0;
            const { userErrors } = (data?.[name] ?? {}) as { userErrors?: unknown };
            expect({ by: asker.name, works, errors, userErrors }).toEqual({
              by: asker.name,
              works: true,
              userErrors: [],
            });
          }
          if (told.length > 0) wrongs.push(`${asker.name}, ${manner}, is told ${told.join(" ")}`);
          if (changed.length > 0) wrongs.push(`${asker.name}, ${manner}, changes ${changed.join("; ")}`);
          if (whole && !mayChange && changes.length > 0)
            wrongs.push(`${asker.name}, ${manner}, may not and changes ${changes.join("; ")}`);
        }
      }
      expect(wrongs).toEqual([]);
      expect(works).toBe(true);
    });
  });
}

const asRowsShow = (marker: Marker): Marker => ({ ...marker, seenBy: new Set([...marker.seenBy, ...marker.rowOf]) });

async function ask({ name, client }: Asker, document: string, args: Arguments) {
  const { data, errors } = await client.text(document, args);
  const form = errors?.find(({ extensions }) => formal.has(extensions.code));
  if (form) throw new Error(`${name} never got to the resolvers: ${form.message}`);
  return { data, errors };
}

const rowsOf = (field: GraphQLField<unknown, unknown>): Row[] => {
  const known = queries[field.name];
  if (known) return [known].flat();
  return thingNames.map(nodeOf);
};

/** What ends an object's life comes last, whatever the schema's order. */
const inOrder = (names: readonly string[]) => {
  const order = Object.keys(mutations);
  return names.toSorted((a, b) => order.indexOf(a) - order.indexOf(b));
};

/** jest prints what it is given: names, not fields with the whole schema behind them. */
const fieldNamed = (kind: OperationKind, name: string): GraphQLField<unknown, unknown> =>
  rootFields(schema, kind).find((field) => field.name === name)!;

const mayDo = ({ kind, writes }: Asker, row: Row): boolean =>
  kind !== null && writes && (kind === "OPERATOR" || row.for === undefined || row.for.includes(kind));

/** Those whose mutation it is come last: what they change would be in the others' way. */
const strangersFirst = (askers: readonly Asker[], row: Row): Asker[] =>
  askers.toSorted((a, b) => Number(mayDo(a, row)) - Number(mayDo(b, row)));

/** Every case of one asker on one socket; both sides' news are told until each stream has said something or has ended. */
async function followAll(
  world: PlantedWorld,
  asker: Asker,
  field: GraphQLField<unknown, unknown>,
  row: Row,
): Promise<string[]> {
  const connection: Following = following(world.api.url, asker.secret);
  const document = parse(everythingOf(world.schema, "subscription", field)) as never;
  try {
    const streams = (await casesOf(row, asker, world)).map(({ name, args }) => {
      const heard: unknown[] = [];
      const follower = connection.follow(document, args);
      const listen = async () => {
        for (;;) heard.push(await follower.next());
      };
      listen().catch((error: unknown) => heard.push(String(error)));
      return { name, heard, stop: follower.stop };
    });
    await until(`${asker.name}'s streams speak`, () => {
      tellNews(world);
      return streams.every(({ heard }) => heard.length > 0);
    });
    for (const { stop } of streams) stop();
    return streams.flatMap(({ name, heard }) => {
      const found = leaksIn(heard, asker, world);
      return found.length > 0 ? [`${asker.name}, ${name}: ${found.join(" ")}`] : [];
    });
  } finally {
    await connection.close();
  }
}

/** Of both sides; the other's first, so that what should not come has come before what should. */
function tellNews({ api, near, far }: PlantedWorld): void {
  for (const { things, startup, provider, figures } of [far, near, far]) {
    api.bus.publish("balance.changed", { startupId: startup.uuid });
    api.bus.publish("utilization.sampled", {
      endpointId: Buffer.from(things.endpoint, "base64url").toString().split(":")[1]!,
      providerId: provider.uuid,
      at: new Date().toISOString(),
      listedGpus: 8,
      slots: 32,
      inFlight: 3,
      soldGpuNanos: figures.soldNanos,
      activeGpuNanos: "1",
      fillPpm: 1,
      utilizationPpm: 1,
    });
  }
}
