/** The contract's scalars: exact numbers and instants as text, so that no client loses a digit on the way. */
import { GraphQLError, GraphQLScalarType, Kind, type ValueNode } from "graphql";

/** Longer text than any amount of ours has; it bounds what a parser is handed. */
const DECIMAL_LENGTH_MAX = 40;
const DECIMAL = /^-?\d+(\.\d+)?$/;
const INTEGER = /^-?\d+$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

function text(value: unknown, name: string): string {
  if (typeof value !== "string") throw new GraphQLError(`${name} is written as a string, got ${typeof value}.`);
  return value;
}

function literal(node: ValueNode, name: string): string {
  if (node.kind !== Kind.STRING) throw new GraphQLError(`${name} is written as a string.`, { nodes: [node] });
  return node.value;
}

function readDecimal(value: string): string {
  if (value.length > DECIMAL_LENGTH_MAX || !DECIMAL.test(value)) {
    throw new GraphQLError(
      `Decimal is a plain decimal number such as "12.5", got ${JSON.stringify(value.slice(0, 60))}.`,
    );
  }
  return value;
}

export const Decimal = new GraphQLScalarType<string, string>({
  name: "Decimal",
  description: 'An exact decimal number as a string, e.g. `"12.5"`: no exponent, no rounding on the way.',
  specifiedByURL: "https://www.w3.org/TR/xmlschema11-2/#decimal",
  serialize: (value) => text(value, "Decimal"),
  parseValue: (value) => readDecimal(text(value, "Decimal")),
  parseLiteral: (node) => readDecimal(literal(node, "Decimal")),
});

function readBigInt(value: string): bigint {
  if (value.length > DECIMAL_LENGTH_MAX || !INTEGER.test(value)) {
    throw new GraphQLError(`BigInt is a whole number as a string, got ${JSON.stringify(value.slice(0, 60))}.`);
  }
  return BigInt(value);
}

export const BigIntText = new GraphQLScalarType<bigint, string>({
  name: "BigInt",
  description: 'A whole number of any size as a string, e.g. `"10000"`.',
  specifiedByURL: "https://www.w3.org/TR/xmlschema11-2/#integer",
  serialize: (value) => (typeof value === "bigint" ? value.toString() : text(value, "BigInt")),
  parseValue: (value) => readBigInt(text(value, "BigInt")),
  parseLiteral: (node) => readBigInt(literal(node, "BigInt")),
});

function readInstant(value: string): Date {
  const instant = INSTANT.test(value) ? new Date(value) : new Date(Number.NaN);
  if (Number.isNaN(instant.getTime())) {
    throw new GraphQLError(
      `DateTime is an RFC 3339 instant such as "2026-01-31T12:00:00.000Z", got ${JSON.stringify(value.slice(0, 60))}.`,
    );
  }
  return instant;
}

export const DateTime = new GraphQLScalarType<Date, string>({
  name: "DateTime",
  description:
    'An instant in UTC with milliseconds, e.g. `"2026-01-31T12:00:00.000Z"`. Input may carry another offset.',
  specifiedByURL: "https://www.rfc-editor.org/rfc/rfc3339",
  serialize: (value) =>
    value instanceof Date ? value.toISOString() : readInstant(text(value, "DateTime")).toISOString(),
  parseValue: (value) => readInstant(text(value, "DateTime")),
  parseLiteral: (node) => readInstant(literal(node, "DateTime")),
});
