/** What each kind of viewer may ask. */
import { organisationScope, ownerOfNew, owns, requireKind, requireScope } from "../../src/accounts/viewer";
import { newId } from "../../src/platform/ids";
import { refusal, viewerOf } from "./a-world";

const own = newId();
const other = newId();
const operator = viewerOf("OPERATOR", newId());
const provider = viewerOf("PROVIDER", own);

test("nobody is unauthenticated, a key without the scope is forbidden", async () => {
  expect(await refusal(() => requireScope(null, "READ"))).toBe("UNAUTHENTICATED");
  expect(await refusal(() => requireScope(viewerOf("STARTUP", own, ["INFER"]), "READ"))).toBe("FORBIDDEN");
  expect(requireScope(provider, "WRITE")).toBe(provider);
});

test("a kind that is not asked for is forbidden, whatever its scopes", async () => {
  expect(await refusal(() => requireKind(provider, "READ", "STARTUP", "OPERATOR"))).toBe("FORBIDDEN");
  expect(await refusal(() => requireKind(viewerOf("STARTUP", own, ["READ"]), "WRITE", "STARTUP"))).toBe("FORBIDDEN");
  expect(requireKind(provider, "READ", "PROVIDER")).toBe(provider);
});

test("an operator's list is everybody's or the one asked for; another's is always its own", async () => {
  expect(organisationScope(operator, "READ")).toBeNull();
  expect(organisationScope(operator, "READ", other)).toBe(other);
  expect(organisationScope(provider, "READ")).toBe(own);
  expect(organisationScope(provider, "READ", own)).toBe(own);
  expect(await refusal(() => organisationScope(provider, "READ", other))).toBe("NOT_FOUND");
  expect(await refusal(() => organisationScope(operator, "READ", "not an id"))).toBe("NOT_FOUND");
});

test("new objects belong to the viewer, or to whom an operator names", async () => {
  const named = (id: string | null) => ({ field: "providerId", id });
  expect(ownerOfNew(provider, "PROVIDER", named(null))).toBe(own);
  expect(ownerOfNew(operator, "PROVIDER", named(other))).toBe(other);
  expect(await refusal(() => ownerOfNew(operator, "PROVIDER", named(null)))).toBe("BAD_USER_INPUT providerId");
  expect(await refusal(() => ownerOfNew(provider, "PROVIDER", named(other)))).toBe("NOT_FOUND");
  expect(await refusal(() => ownerOfNew(provider, "STARTUP", named(null)))).toBe("FORBIDDEN");
});

test("operators own everything, others their own", () => {
  expect([owns(operator, other), owns(provider, own), owns(provider, other)]).toEqual([true, true, false]);
});
