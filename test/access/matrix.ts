/** The access matrix: every operation, asked by everybody, with ids that are own, foreign, missing, null or left out. */

import { ApiKeyCreateDocument, type ApiKeyScope, type OrganisationKind } from "../../codegen/generated/graphql";
import type { ApiClient } from "../support/api-client";
import { apiClient } from "../support/api-client";
import { type Arguments, type Row, thingsIn } from "./operations";
import type { Personal, PlantedWorld, Side, ThingName, Things } from "./planted-world";
import { personalNames } from "./planted-world";

/** One that asks. */
export interface Asker {
  readonly name: string;
  readonly client: ApiClient;
  readonly secret: string | undefined;
  readonly kind: OrganisationKind | null;
  /** Whose words it may be shown; null for somebody who sees everything. */
  readonly sees: string | null;
  readonly reads: boolean;
  readonly writes: boolean;
  readonly own: Things;
  readonly foreign: Things;
}

export interface Case {
  /** e.g. `all own`, `endpoint foreign`. */
  readonly name: string;
  readonly args: Arguments;
  /** Whether every id in it is the asker's own, or an operator's to name. */
  readonly rightful: boolean;
}

const manners = ["foreign", "neighbour", "missing", "null", "left out"] as const;

export async function askersOf(world: PlantedWorld): Promise<Asker[]> {
  const { api, near, far, operator } = world;
  const own = (side: Side, personal: Personal): Things => ({ ...side.things, ...personal });
  const asker = (
    who: { name: string; kind: OrganisationKind; secret: string; personal: Personal },
    [mine, other]: readonly [Side, Side],
    foreign: Personal,
  ): Asker => ({
    name: who.name,
    client: apiClient(api.url, who.secret),
    secret: who.secret,
    kind: who.kind,
    sees: who.kind === "OPERATOR" ? null : who.name,
    reads: true,
    writes: true,
    own: own(mine, who.personal),
    foreign: own(other, foreign),
  });
  const limited = async (scopes: ApiKeyScope[]) => {
    const input = { organisationId: near.provider.id, name: "limited", scopes };
    const { apiKeyCreate } = await api.operator.read(ApiKeyCreateDocument, { input });
    return { ...near.provider, secret: apiKeyCreate.secret! };
  };
  const there = [near, far] as const;
  const north = asker(near.provider, there, far.provider.personal);
  return [
    {
      ...north,
      name: "nobody",
      client: apiClient(api.url),
      secret: undefined,
      kind: null,
      sees: "",
      writes: false,
      reads: false,
    },
    north,
    asker(far.provider, [far, near], near.provider.personal),
    asker(near.startup, there, far.startup.personal),
    asker(near.partner, there, far.partner.personal),
    asker(operator, there, far.provider.personal),
    { ...asker(await limited(["WRITE"]), there, far.provider.personal), name: "a key without READ", reads: false },
    { ...asker(await limited(["READ"]), there, far.provider.personal), name: "a key without WRITE", writes: false },
  ];
}

/** Of one row for one asker. */
export async function casesOf(row: Row, asker: Asker, world: PlantedWorld): Promise<Case[]> {
  const { own, foreign } = asker;
  const rightfully = (things: readonly ThingName[]) =>
    asker.kind === "OPERATOR" || things.every((thing) => isOwn(thing, asker));
  const names = await thingsIn(row, own);
  const owned = names.filter((thing) => !row.anybodys?.includes(thing));
  const cases: Case[] = [{ name: "all own", args: await row.args((thing) => own[thing]), rightful: rightfully(owned) }];
  for (const varied of names) {
    for (const manner of manners) {
      if (manner === "neighbour" && !isPersonal(varied)) continue;
      if (manner === "foreign" && row.anybodys?.includes(varied)) continue;
      const id = {
        foreign: foreign[varied],
        neighbour: neighbourOf(asker, world)[varied as keyof Personal],
        missing: world.missing[varied],
        null: null,
        "left out": undefined,
      }[manner];
      const args = await row.args((thing) => (thing === varied ? id : own[thing]));
      const others = owned.filter((thing) => thing !== varied);
      const rightful = id == null ? rightfully(others) : asker.kind === "OPERATOR" && manner !== "missing";
      cases.push({ name: `${varied} ${manner}`, args, rightful });
    }
  }
  return cases;
}

const isPersonal = (thing: ThingName): thing is keyof Personal => (personalNames as readonly string[]).includes(thing);

const ownedBy: Readonly<Record<Exclude<ThingName, keyof Personal>, OrganisationKind>> = {
  provider: "PROVIDER",
  endpoint: "PROVIDER",
  offering: "PROVIDER",
  window: "PROVIDER",
  breach: "PROVIDER",
  accrual: "PROVIDER",
  delivery: "PROVIDER",
  candidacy: "PROVIDER",
  startup: "STARTUP",
  usage: "STARTUP",
  job: "STARTUP",
  hosted: "PROVIDER",
  decision: "STARTUP",
  lot: "STARTUP",
  partner: "CAPITAL_PARTNER",
  drawdown: "CAPITAL_PARTNER",
  facility: "CAPITAL_PARTNER",
  alert: "CAPITAL_PARTNER",
  block: "CAPITAL_PARTNER",
  defaulted: "CAPITAL_PARTNER",
  claim: "PROVIDER",
  flagged: "OPERATOR",
  statement: "PROVIDER",
  statementLine: "PROVIDER",
  reviewed: "PROVIDER",
  dispute: "PROVIDER",
  settled: "PROVIDER",
  creditNote: "PROVIDER",
  rateCard: "PROVIDER",
  proposal: "OPERATOR",
  account: "PROVIDER",
  project: "STARTUP",
  spare: "STARTUP",
  budget: "STARTUP",
  spending: "STARTUP",
  payout: "PROVIDER",
  payoutAccount: "PROVIDER",
};

const isOwn = (thing: ThingName, { kind }: Asker): boolean => isPersonal(thing) || ownedBy[thing] === kind;

/** An organisation of another kind on the same side of the world: closer than a competitor, and as closed. */
const neighbourOf = ({ kind }: Asker, { near }: PlantedWorld): Personal =>
  kind === "STARTUP" ? near.provider.personal : near.startup.personal;

/** The words in an answer that this asker must not be shown. */
export function leaksIn(answer: unknown, { sees }: Pick<Asker, "sees">, { markers }: PlantedWorld): string[] {
  if (sees === null) return [];
  const text = JSON.stringify(answer).toLowerCase();
  return markers.filter((marker) => !marker.seenBy.has(sees) && text.includes(marker.text)).map(({ text }) => text);
}

/** Every row of every table, as text. */
export type Digest = ReadonlyMap<string, ReadonlySet<string>>;

/** Changes with every transaction that wrote something, also one that was rolled back: while it stands still, so do all rows. */
export async function lastWriteOf({ api }: PlantedWorld): Promise<string> {
  const [row] = await api.db.query<{ last: string }>(lastWrite, []);
  return row!.last;
}

const lastWrite = { name: "last-write", text: "SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS last" };

export async function digestOf({ api }: PlantedWorld): Promise<Digest> {
  tables ??= await api.db.source.query(
    "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'migration' ORDER BY 1",
  );
  const rows = await api.db.query<{ table: string; row: string }>({ name: "every-row", text: everyRow(tables!) }, []);
  const digest = new Map(tables!.map(({ name }) => [name, new Set<string>()]));
  for (const { table, row } of rows) digest.get(table)!.add(row);
  return digest;
}

/** The same for every world. */
let tables: readonly { name: string }[] | undefined;

const everyRow = (all: readonly { name: string }[]): string =>
  all
    .map(
      ({ name }) =>
        `SELECT '${name}' AS "table", (to_jsonb(t) - 'last_used_at' - 'last_seen_at')::text AS "row" FROM "${name}" t`,
    )
    .join(" UNION ALL ");

/** Rows that are in one digest and not in the other: what was removed, added, or is now different. */
export function changesBetween(before: Digest, after: Digest): string[] {
  const missingIn = (rows: ReadonlySet<string>, others: ReadonlySet<string> | undefined, table: string, sign: string) =>
    [...rows].filter((row) => !others?.has(row)).map((row) => `${sign}${table} ${row}`);
  return [...before.keys()].flatMap((table) => [
    ...missingIn(before.get(table)!, after.get(table), table, "-"),
    ...missingIn(after.get(table)!, before.get(table), table, "+"),
  ]);
}
