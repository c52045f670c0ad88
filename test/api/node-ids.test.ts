/** Ids as they come in: their type is checked, and the page of one holds exactly the row asked for. */
import fc from "fast-check";
import { encodeId } from "../../schema/node";
import { optionalUuidOf, pageOfOne, uuidOf } from "../../src/api/node-ids";
import { checkPage } from "../../src/platform/page";

const uuid = "019a0000-0000-7000-8000-000000000001";

test("an id is taken for its own type only, and the field is named when it is not", () => {
  expect(uuidOf(encodeId("Endpoint", uuid), "Endpoint", "id")).toBe(uuid);
  expect(uuidOf(encodeId("Startup", uuid), ["Provider", "Startup"], "id")).toBe(uuid);
  for (const id of [
    encodeId("Offering", uuid),
    encodeId("Endpoint", "1"),
    encodeId("Accrual", `${uuid}.2026-01`),
    uuid,
    "",
  ]) {
    expect(() => uuidOf(id, ["Endpoint", "Accrual"], "endpointId")).toThrow(
      expect.objectContaining({ code: "BAD_USER_INPUT", field: ["endpointId"] }),
    );
  }
  expect(optionalUuidOf(null, "Endpoint", "id")).toBeNull();
});

test("the page of one lies strictly between the id's neighbours", () => {
  const number = (id: string) => BigInt(`0x${id.replaceAll("-", "")}`);
  fc.assert(
    fc.property(fc.uuid(), (id) => {
      const { size, after, before } = checkPage(pageOfOne(id));
      expect(size).toBe(1);
      // Newest first: `after` is the upper edge.
      expect([number(after!) - number(id), number(id) - number(before!)]).toEqual([1n, 1n]);
    }),
  );
});

test("the first and the last of all ids have one neighbour", () => {
  expect(pageOfOne("00000000-0000-0000-0000-000000000000").before).toBeUndefined();
  expect(pageOfOne("ffffffff-ffff-ffff-ffff-ffffffffffff").after).toBeUndefined();
});
