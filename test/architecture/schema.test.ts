/** Holds the contract: printed as committed, described throughout, shaped by its conventions, blind to providers for startups. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isListType,
  isNonNullType,
  isObjectType,
  isScalarType,
  isUnionType,
  validateSchema,
} from "graphql";
import { resolverClasses } from "../../resolvers";
import { RoutingRefusal } from "../../schema/enums";
import { decodeId, encodeId, nodeTypes } from "../../schema/node";
import { userErrorCodes } from "../../schema/user-error";
import { buildApiSchema } from "../../src/api/build-schema";
import { printContract } from "../../src/api/print-contract";
import { errorTable } from "../../src/platform/errors";
import { RefusalReason } from "../../src/routing/refusal";
import { subscriptionClasses } from "../../subscriptions";
import { startupFields } from "../api/startup-fields";

const schema: GraphQLSchema = buildApiSchema([...resolverClasses, ...subscriptionClasses]);
const builtIn = new Set(["String", "Boolean", "Int", "Float", "ID"]);
const ownTypes = Object.values(schema.getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !builtIn.has(type.name),
);
const fieldsOf = (type: GraphQLNamedType): GraphQLField<unknown, unknown>[] =>
  isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : [];

describe("the contract", () => {
  it("is printed as it is committed", () => {
    const committed = readFileSync(join(__dirname, "../../schema/schema.graphql"), "utf8");
    // Run `npm run schema:print && npm run codegen` and commit both.
    expect(printContract(schema) === committed).toBe(true);
  });

  it("is a valid schema", () => {
    expect(validateSchema(schema)).toEqual([]);
  });

  it("describes every type, field, argument, input field, enum value and directive", () => {
    const bare: string[] = [];
    const note = (place: string, description: string | null | undefined) => {
      if (!description?.trim()) bare.push(place);
    };
    for (const type of ownTypes) {
      note(type.name, type.description);
      for (const field of fieldsOf(type)) {
        note(`${type.name}.${field.name}`, field.description);
        for (const arg of field.args) note(`${type.name}.${field.name}(${arg.name})`, arg.description);
      }
      if (isInputObjectType(type)) {
        for (const field of Object.values(type.getFields())) note(`${type.name}.${field.name}`, field.description);
      }
      if (isEnumType(type)) for (const value of type.getValues()) note(`${type.name}.${value.name}`, value.description);
    }
    for (const { name, description, args } of schema.getDirectives()) {
      note(`@${name}`, description);
      for (const arg of args) note(`@${name}(${arg.name})`, arg.description);
    }
    expect(bare).toEqual([]);
  });

  it("says where each scalar of ours is specified", () => {
    expect(ownTypes.filter((type) => isScalarType(type) && !type.specifiedByURL)).toEqual([]);
  });

  it("names mutations object first, each with one input and a payload of its own", () => {
    const mutations = Object.values(schema.getMutationType()!.getFields());
    const payloads = new Set<string>();
    for (const { name, args, type } of mutations) {
      expect(args.map((arg) => `${arg.name}: ${arg.type}`)).toEqual([`input: ${pascal(name)}Input!`]);
      expect(String(type)).toBe(`${pascal(name)}Payload!`);
      payloads.add(String(type));
      const { userErrors, ...results } = (
        isNonNullType(type) && isObjectType(type.ofType) ? type.ofType : raise()
      ).getFields();
      expect(String(userErrors!.type)).toBe(`[${pascal(name)}UserError!]!`);
      for (const result of Object.values(results)) expect(isNonNullType(result.type)).toBe(false);
      const error = getNamedType(userErrors!.type);
      expect(isObjectType(error) && error.getInterfaces().map((face) => face.name)).toEqual(["UserError"]);
      expect(isObjectType(error) && String(error.getFields().code!.type)).toBe(`${pascal(name)}ErrorCode!`);
    }
    expect(payloads.size).toBe(mutations.length);
  });

  it("lets a mutation's answer be asked for more, by the rights of any query", () => {
    for (const { type } of Object.values(schema.getMutationType()!.getFields())) {
      const named = getNamedType(type);
      expect(isObjectType(named) && String(named.getFields().query?.type)).toBe("Query");
    }
  });

  it("names objects by themselves: no output has the id of another beside it", () => {
    // The audit trail names who acted on what, even when it is gone since.
    const lasting = ownTypes.filter((type) => !type.name.startsWith("Audit"));
    const beside = lasting.flatMap((type) =>
      fieldsOf(type).filter((field) => getNamedType(field.type).name === "ID" && field.name !== "id"),
    );
    expect(beside.map(({ name }) => name)).toEqual([]);
  });

  it("shows the version of whatever can be changed only as it was read", () => {
    const changed = Object.values(schema.getMutationType()!.getFields()).filter(({ args }) => {
      const input = getNamedType(args[0]!.type);
      return isInputObjectType(input) && input.getFields().expectedVersion !== undefined;
    });
    expect(changed.length).toBeGreaterThan(0);
    for (const { name, type } of changed) {
      const payload = getNamedType(type);
      const results = isObjectType(payload) ? Object.values(payload.getFields()) : [];
      const versioned = results.filter((result) =>
        fieldsOf(getNamedType(result.type)).some((field) => field.name === "version" && String(field.type) === "Int!"),
      );
      expect(`${name}: ${versioned.length > 0}`).toBe(`${name}: true`);
    }
  });

  it("marks selectors as inputs of which exactly one field is given", () => {
    const selectors = ownTypes.filter((type) => type.name.endsWith("Selector"));
    expect(selectors.length).toBeGreaterThan(0);
    for (const selector of selectors) expect(isInputObjectType(selector) && selector.isOneOf).toBe(true);
  });

  it("pages every list of rows, and gives items that are never null", () => {
    for (const type of ownTypes) {
      for (const field of fieldsOf(type)) {
        const listed = isNonNullType(field.type) ? field.type.ofType : field.type;
        if (isListType(listed) && field.name !== "nodes")
          expect(`${type.name}.${field.name}: ${isNonNullType(listed.ofType)}`).toMatch(/: true$/);
      }
    }
    for (const field of Object.values(schema.getQueryType()!.getFields())) {
      if (!String(field.type).endsWith("Connection!")) continue;
      expect(field.args.map((arg) => arg.name)).toEqual(expect.arrayContaining(["first", "after", "last", "before"]));
    }
  });

  it("knows only user error codes and refusals that the rules know", () => {
    expect(userErrorCodes.filter((code) => errorTable[code] === undefined)).toEqual([]);
    expect(Object.keys(RoutingRefusal).sort()).toEqual(Object.keys(RefusalReason).sort());
  });

  it("has a type for every kind of id, and reads back the ids that it makes", () => {
    const uuid = "019a0000-0000-7000-8000-000000000001";
    const node = schema.getType("Node");
    const implementers = isInterfaceType(node) ? schema.getImplementations(node).objects.map(({ name }) => name) : [];
    expect(implementers.toSorted()).toEqual([...nodeTypes].toSorted());
    for (const type of nodeTypes) expect(decodeId(encodeId(type, uuid))).toEqual({ type, key: uuid });
    expect(decodeId("nonsense")).toBeNull();
    expect(decodeId(`${encodeId("Endpoint", uuid)}=`)).toBeNull();
    expect(decodeId(Buffer.from(`Secret:${uuid}`).toString("base64url"))).toBeNull();
  });
});

/** What a startup finds behind an interface: itself, and its own objects. */
const startupOwn = new Set(["Startup", "Member", "ApiKey", "CreditLot", "Usage", "RoutingDecision", "Fixing"]);

function reachable(): Map<string, GraphQLNamedType> {
  const found = new Map<string, GraphQLNamedType>();
  const visit = (type: GraphQLNamedType): void => {
    // A payload's `query` leads back to the root, whose fields are listed and refuse on their own.
    if (found.has(type.name) || type === schema.getQueryType()) return;
    found.set(type.name, type);
    for (const field of fieldsOf(type)) visit(getNamedType(field.type));
    if (isInterfaceType(type)) {
      for (const object of schema.getImplementations(type).objects) if (startupOwn.has(object.name)) visit(object);
    }
    if (isUnionType(type)) for (const object of type.getTypes()) visit(object);
  };
  const roots = [
    [schema.getQueryType(), startupFields.query],
    [schema.getMutationType(), startupFields.mutation],
    [schema.getSubscriptionType(), startupFields.subscription],
  ] as const;
  for (const [root, names] of roots) for (const name of names) visit(getNamedType(root!.getFields()[name]!.type));
  return found;
}

describe("what a startup can reach", () => {
  it("has neither a type nor a field about providers, endpoints or hosts", () => {
    const found = reachable();
    expect(found.has("Usage") && found.has("RoutingDecision") && found.has("CreditBalance")).toBe(true);
    const telling = /provider|endpoint|offering|upstream|host|url|zone|candidac|delivery|accrual|payout/i;
    const wrong = [...found.values()].flatMap((type) => [
      ...(telling.test(type.name) ? [type.name] : []),
      ...fieldsOf(type)
        .filter(({ name }) => telling.test(name))
        .map(({ name }) => `${type.name}.${name}`),
    ]);
    expect(wrong).toEqual([]);
  });

  it("would notice one: a provider reaches them", () => {
    const endpoint = schema.getType("Delivery");
    expect(fieldsOf(endpoint!).map(({ name }) => name)).toContain("endpoint");
  });
});

const pascal = (name: string): string => name[0]!.toUpperCase() + name.slice(1);

function raise(): never {
  throw new Error("a mutation's payload is a non-null object");
}
