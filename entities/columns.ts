/** One word per meaning of a column: its PostgreSQL type, its constraint and its TypeScript shape in one decorator. */
import { Column, ForeignKey, PrimaryColumn, type ValueTransformer } from "typeorm";

/** pg hands BIGINT over as text; money and counters above 2^53 stay exact as bigint. */
const bigint: ValueTransformer = {
  to: (value: bigint | null | undefined) => (value == null ? value : value.toString()),
  from: (value: string | null) => (value === null ? null : BigInt(value)),
};

interface Options {
  nullable?: boolean;
  name?: string;
  default?: string | number | boolean | (() => string);
}

/** UUIDv7, made by the caller before the write. */
export const Id = (): PropertyDecorator => PrimaryColumn("uuid");

/** A foreign key held as an id: the constraint exists, the other entity's file is not imported. */
export const Ref =
  (entity: string, options: Options & { primary?: boolean } = {}): PropertyDecorator =>
  (target, property) => {
    const { primary, ...column } = options;
    if (primary) PrimaryColumn("uuid")(target, property);
    else Column("uuid", column)(target, property);
    ForeignKey(entity)(target, property);
  };

/** A foreign key to a code table (accelerator, SLA tier). */
export const CodeRef =
  (entity: string, options: Options = {}): PropertyDecorator =>
  (target, property) => {
    Column("text", options)(target, property);
    ForeignKey(entity)(target, property);
  };

export const Text = (options: Options = {}): PropertyDecorator => Column("text", options);
export const Int = (options: Options = {}): PropertyDecorator => Column("integer", options);
export const Flag = (options: Options = {}): PropertyDecorator => Column("boolean", options);
/** An instant. */
export const At = (options: Options = {}): PropertyDecorator => Column("timestamptz", options);
/** Money in nano-units (1e-9 USD or credit). */
export const Nano = (options: Options = {}): PropertyDecorator => Column("bigint", { ...options, transformer: bigint });
/** Any other exact 64-bit number: GPU time in nanoseconds, parts per million, counters. */
export const Big = (options: Options = {}): PropertyDecorator => Column("bigint", { ...options, transformer: bigint });
export const Json = (options: Options = {}): PropertyDecorator => Column("jsonb", options);
