/** One word per meaning of a field: its GraphQL type in one decorator that cannot be used without a description. */
import { Arg, type ClassType, Field, ID, InputType, Int, ObjectType } from "type-graphql";
import { oneOfInputs } from "./one-of";
import { BigIntText, DateTime, Decimal, Duration, EmailAddress, Url, YearMonth } from "./scalars";

interface Options {
  nullable?: boolean;
}

type Type = Parameters<typeof Field>[0];

const field =
  (type: () => unknown) =>
  (description: string, options: Options = {}) =>
    Field(type as Exclude<Type, undefined | object>, { ...options, description }) as PropertyDecorator;

export const GlobalId = field(() => ID);
export const Text = field(() => String);
export const Texts = field(() => [String]);
export const Whole = field(() => Int);
export const Flag = field(() => Boolean);
/** An exact number: a ratio, seconds, a price. */
export const Exact = field(() => Decimal);
export const Big = field(() => BigIntText);
export const Instant = field(() => DateTime);
export const Span = field(() => Duration);
/** A billing month in UTC. */
export const Month = field(() => YearMonth);
export const Email = field(() => EmailAddress);
export const Link = field(() => Url);
/** An enum, or another view. */
export const Of = (type: () => object, description: string, options: Options = {}) => field(type)(description, options);
export const ListOf = (type: () => object, description: string, options: Options = {}) =>
  field(() => [type()])(description, options);

/** A type of answers. Its fields are plain properties: type-graphql's per-field resolvers cost ten times as much. */
export const View = (
  name: string,
  description: string,
  // biome-ignore lint/complexity/noBannedTypes: type-graphql's own word for an interface class.
  options: { implements?: Function[] } = {},
): ClassDecorator => ObjectType(name, { description, simpleResolvers: true, ...options });

export const Input = (name: string, description: string): ClassDecorator => InputType(name, { description });

/** An input of which exactly one field is given: all its fields are nullable. */
export const OneOf = (name: string, description: string): ClassDecorator => {
  oneOfInputs.add(name);
  return InputType(name, { description });
};

/** The one argument of a mutation. */
export const InputArg = (type: () => ClassType): ParameterDecorator =>
  Arg("input", type, { description: "What to do." }) as ParameterDecorator;

export const Filter = (type: () => ClassType): ParameterDecorator =>
  Arg("filter", type, {
    nullable: true,
    description: "Narrows the list; all that is given must match.",
  }) as ParameterDecorator;
