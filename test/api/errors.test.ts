/** What of an error goes out: the coded one as it is, everything else masked. */
import { GraphQLError } from "graphql";
import { payload } from "../../schema/user-error";
import { presentError, refusal } from "../../src/api/errors";
import { answer } from "../../src/api/user-errors";
import { DomainError } from "../../src/platform/errors";

const thrownInResolver = (error: Error) => new GraphQLError(error.message, { originalError: error, path: ["usage"] });

test("an expected failure keeps its code and message, its place and its field", () => {
  const error = new DomainError("BAD_USER_INPUT", "first must be 1 to 100", { field: "first" });
  expect(presentError(thrownInResolver(error))).toEqual({
    formatted: {
      message: "first must be 1 to 100",
      path: ["usage"],
      extensions: { code: "BAD_USER_INPUT", field: ["first"] },
    },
    fault: undefined,
  });
});

test("anything else shows nothing of itself and is handed over for the log", () => {
  const secret = new TypeError("cannot read host of gpu-1.secret.example");
  for (const error of [secret, thrownInResolver(secret), thrownInResolver(new GraphQLError(secret.message))]) {
    const { formatted, fault } = presentError(error);
    expect(JSON.stringify(formatted)).not.toContain("secret");
    expect(formatted.extensions).toEqual({ code: "INTERNAL" });
    expect((fault as Error).message).toBe(secret.message);
  }
});

test("a fault of the client's document is told as it is", () => {
  expect(presentError(new GraphQLError("Syntax Error")).formatted).toEqual({
    message: "Syntax Error",
    extensions: { code: "BAD_USER_INPUT" },
  });
  const coded = new GraphQLError("No such field", { extensions: { code: "GRAPHQL_VALIDATION_FAILED" } });
  expect(presentError(coded).formatted.extensions).toEqual({ code: "GRAPHQL_VALIDATION_FAILED" });
});

test("a lost connection to the database is worth a retry", () => {
  const lost = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
  expect(presentError(thrownInResolver(lost)).formatted.extensions).toEqual({
    code: "DATABASE_UNAVAILABLE",
    retryable: true,
  });
});

test("a refusal before GraphQL has the shape of a GraphQL error and the status of the table", () => {
  const { status, body } = refusal(new DomainError("UNAUTHENTICATED", "no key"), "r-1");
  expect([status, JSON.parse(body)]).toEqual([
    401,
    { errors: [{ message: "no key", extensions: { code: "UNAUTHENTICATED", requestId: "r-1" } }] },
  ]);
});

describe("a mutation", () => {
  const Draw = payload<{ amount?: string }>("TestDraw", { amount: [() => String, "The amount."] }, ["BAD_USER_INPUT"]);

  test("answers with its results and no user errors when it was done", async () => {
    expect(await answer(Draw, async () => ({ amount: "1" }))).toEqual({ amount: "1", userErrors: [] });
  });

  test("turns the failures of its payload into user errors, naming arguments as the caller knows them", async () => {
    const refuse = async (): Promise<{ amount?: string }> => {
      throw new DomainError("BAD_USER_INPUT", "too small", { field: ["observations", "0", "priceNanoUsd"] });
    };
    expect(await answer(Draw, refuse)).toEqual({
      userErrors: [{ code: "BAD_USER_INPUT", message: "too small", field: ["input", "observations", "0", "price"] }],
    });
  });

  test("leaves other failures to the request", async () => {
    for (const error of [new DomainError("FORBIDDEN", "no"), new Error("bug")]) {
      await expect(answer(Draw, () => Promise.reject(error))).rejects.toBe(error);
    }
  });
});
