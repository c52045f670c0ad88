/** Holds the promise to clients: what breaks them is caught, what was announced may go when its day has come. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { contractChanges } from "../../bin/contract-changes";

const today = "2027-06-15";
const released = `
  type Query {
    endpoints(region: String, zone: String @deprecated(reason: "Use region. Remove after 2027-06-01")): [Endpoint!]!
    racks: [Rack!]! @deprecated(reason: "Use endpoints. Remove after 2027-06-01")
  }
  type Rack { id: ID!, shelf: Shelf! }
  type Shelf { height: Int! }
  type Endpoint {
    id: ID!
    name: String!
    host: String @deprecated(reason: "Use name. Remove after 2027-06-01")
    address: String @deprecated(reason: "Use name. Remove after 2027-07-01")
    owner: String @deprecated(reason: "Use name.")
    state: State!
  }
  enum State { LIVE, GONE, LOST @deprecated(reason: "Use GONE. Remove after 2027-06-01") }
  type Mutation { endpointMove(input: EndpointMoveInput!): Endpoint }
  input EndpointMoveInput { id: ID!, note: String, hint: String @deprecated(reason: "Use note. Remove after 2027-06-01") }
`;
const without = (text: string) => {
  expect(released).toContain(text);
  return released.replace(text, "");
};
const changed = (from: string, to: string) => {
  expect(released).toContain(from);
  return released.replace(from, to);
};
const comparedWith = (current: string) => contractChanges(released, current, today);

describe("a change of the contract", () => {
  it("breaks nobody when nothing changed, or when something was added that nobody has to know", async () => {
    expect(await comparedWith(released)).toEqual({ breaking: [], dangerous: [] });
    expect(await comparedWith(changed("name: String!", "name: String! label: String"))).toEqual({
      breaking: [],
      dangerous: [],
    });
  });

  it.each([
    ["a field that is gone", without("    name: String!\n"), "Field 'name' was removed from object type 'Endpoint'"],
    ["a result that may be null", changed("name: String!", "name: String"), "'String!' to 'String'"],
    ["an enum value that is gone", changed("LIVE, GONE", "GONE"), "'LIVE' was removed"],
    ["an argument that is gone", changed("region: String, ", ""), "'region: String' was removed"],
    ["an input field that became required", changed("note: String,", "note: String!,"), "'String' to 'String!'"],
    ["a new required input field", changed("note: String,", "note: String, why: String!,"), "'why'"],
    ["a type of another kind", changed("type Shelf { height: Int! }", "scalar Shelf"), "Shelf"],
  ])("breaks clients by %s", async (_what, current, sentence) => {
    const { breaking } = await comparedWith(current);
    expect(breaking).toEqual([expect.stringContaining(sentence)]);
  });

  it("may surprise clients with a value that they have not seen", async () => {
    const { breaking, dangerous } = await comparedWith(changed("LIVE, GONE", "LIVE, GONE, PAUSED"));
    expect(breaking).toEqual([]);
    expect(dangerous).toEqual(["Enum value 'PAUSED' was added to enum 'State'"]);
  });

  it.each([
    ["a field", /\n {4}host: .*/],
    ["an argument", /, zone: String @deprecated\(reason: "[^"]*"\)/],
    ["an enum value", /, LOST @deprecated\(reason: "[^"]*"\)/],
    ["an input field", /, hint: String @deprecated\(reason: "[^"]*"\)/],
  ])("lets %s go whose announced day has passed", async (_what, text) => {
    expect(released).toMatch(text);
    expect((await comparedWith(released.replace(text, ""))).breaking).toEqual([]);
    expect((await contractChanges(released, released.replace(text, ""), "2027-05-31")).breaking).toEqual([
      expect.stringMatching(/was removed/),
    ]);
  });

  it("lets types go with the last field that led to them", async () => {
    const current = released
      .replace(/\n {4}racks: .*/, "")
      .replace("type Rack { id: ID!, shelf: Shelf! }", "")
      .replace("type Shelf { height: Int! }", "");
    expect((await comparedWith(current)).breaking).toEqual([]);
    expect((await contractChanges(released, current, "2027-05-31")).breaking.length).toBeGreaterThan(0);
  });

  it.each([
    ["the day has not come", /\n {4}address: .*/],
    ["no day was said", /\n {4}owner: .*/],
  ])("keeps what is deprecated as long as %s", async (_why, text) => {
    expect(released).toMatch(text);
    expect((await comparedWith(released.replace(text, ""))).breaking).toEqual([
      expect.stringMatching(/was removed from object type 'Endpoint'.*: its date has not come$/),
    ]);
  });

  it("finds nothing broken between the released contract and the committed one", async () => {
    const file = (name: string) => readFileSync(join(__dirname, "../../schema", name), "utf8");
    const day = new Date().toISOString().slice(0, 10);
    expect((await contractChanges(file("released.graphql"), file("schema.graphql"), day)).breaking).toEqual([]);
  });
});
