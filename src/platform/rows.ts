/** Entities read by named prepared statements: TypeORM says what a table's columns are, but does not build the rows. */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { EntityTarget, ObjectLiteral, SelectQueryBuilder, ValueTransformer } from "typeorm";
import type { Database } from "./database";

interface RowColumn {
  readonly property: string;
  readonly name: string;
  readonly transformer: ValueTransformer | undefined;
}

type Reader<Row> = (raw: Record<string, unknown>) => Row;

/** Distinct statements remembered by name; a list has a handful, one per combination of its filters. */
const NAMES_MAX = 2_000;
const names = new LRUCache<string, string>({ max: NAMES_MAX });

/** All columns of `entity` in the rows that `rest` (WHERE …, ORDER BY …) picks. Errors: the database's. */
export async function readRows<Row extends ObjectLiteral>(
  db: Database,
  entity: EntityTarget<Row>,
  rest: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const { tableName } = db.source.getMetadata(entity);
  const columns = columnsOf(db, entity);
  const list = columns.map(({ name }) => `"${name}"`).join(", ");
  const read = readerOf<Row>(columns, "");
  return (await named(db, `SELECT ${list} FROM "${tableName}" ${rest}`, values)).map(read);
}

/** The rows of a query over one table, which may join others to narrow it. Errors: the database's. */
export async function readQuery<Row extends ObjectLiteral>(
  db: Database,
  query: SelectQueryBuilder<Row>,
): Promise<Row[]> {
  const [text, values] = query.getQueryAndParameters();
  const read = readerOf<Row>(
    columnsOf(db, query.expressionMap.mainAlias!.target as EntityTarget<Row>),
    `${query.alias}_`,
  );
  return (await named(db, text, values)).map(read);
}

/** How many rows `readQuery` would read without its order and limit, at most `countMax`. Errors: the database's. */
export async function countQuery<Row extends ObjectLiteral>(
  db: Database,
  query: SelectQueryBuilder<Row>,
  countMax: number,
): Promise<number> {
  const [text, values] = query.clone().select("1", "one").orderBy().getQueryAndParameters();
  return countRows(db, text, values, countMax);
}

/** How many rows `text` has, at most `countMax`. Errors: the database's. */
export async function countRows(
  db: Database,
  text: string,
  values: readonly unknown[],
  countMax: number,
): Promise<number> {
  const [row] = await named(db, `SELECT count(*)::int AS count FROM (${text} LIMIT ${countMax}) counted`, values);
  return row!.count as number;
}

function columnsOf<Row extends ObjectLiteral>(db: Database, entity: EntityTarget<Row>): RowColumn[] {
  return db.source.getMetadata(entity).columns.map(({ propertyName, databaseName, transformer }) => {
    if (Array.isArray(transformer)) throw new Error(`${propertyName}: rows are read with one transformer per column`);
    return { property: propertyName, name: databaseName, transformer };
  });
}

function readerOf<Row>(columns: readonly RowColumn[], prefix: string): Reader<Row> {
  const fields = columns.map(({ property, name, transformer }) => ({ property, name: prefix + name, transformer }));
  return (raw) => {
    const row: Record<string, unknown> = {};
    for (const { property, name, transformer } of fields) {
      row[property] = transformer === undefined ? raw[name] : transformer.from(raw[name]);
    }
    return row as Row;
  };
}

function named(db: Database, text: string, values: readonly unknown[]): Promise<Record<string, unknown>[]> {
  let name = names.get(text);
  if (name === undefined) {
    name = `rows-${createHash("sha256").update(text).digest("hex").slice(0, 24)}`;
    names.set(text, name);
  }
  return db.query({ name, text }, values);
}
