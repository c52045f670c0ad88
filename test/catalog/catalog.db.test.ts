/** Endpoints and offerings on PostgreSQL: what is refused, who sees and moves what, when routing hears of it. */

import type { Viewer } from "../../src/accounts/viewer";
import { Catalog } from "../../src/catalog/catalog";
import { newId } from "../../src/platform/ids";
import { openWorld, refusal, type World } from "../accounts/a-world";
import { anEndpoint, anOffering } from "./an-endpoint";

let world: World;
let catalog: Catalog;
let provider: Viewer;
let stranger: Viewer;

beforeAll(async () => {
  world = await openWorld();
  const { db, bus, clock } = world;
  catalog = new Catalog({ db, bus, clock, egress: { allowLoopback: false, ownHosts: ["relay.exergy.example"] } });
  [provider, stranger] = await Promise.all([world.a("PROVIDER"), world.a("PROVIDER")]);
});
afterAll(() => world.close());

test("the catalog starts with three listed accelerators and one under evaluation", async () => {
  const found = (await catalog.accelerators()).map(({ code, status }) => `${code} ${status}`);
  expect(found).toEqual(["A100 LISTED", "H100 LISTED", "H200 LISTED", "MI300X EVALUATING"]);
});

test("an endpoint starts REGISTERED, with its URL in one spelling, and routing hears of it", async () => {
  const input = await anEndpoint({ baseUrl: "https://GPU.provider.example:443/v1//" });
  const heard = await world.published("supply.changed", async () => {
    const endpoint = await catalog.registerEndpoint(provider, input);
    expect(endpoint).toMatchObject({
      providerId: provider.organisationId,
      state: "REGISTERED",
      version: 1,
      baseUrl: "https://gpu.provider.example/v1",
    });
    expect(await catalog.endpointsByIds([endpoint.id, newId(), "junk"])).toEqual([expect.objectContaining(endpoint)]);
  });
  expect(heard).toBe(1);
  const again = { ...input, baseUrl: "https://gpu.provider.example/v1" };
  expect(await refusal(catalog.registerEndpoint(stranger, again))).toBe("ALREADY_EXISTS baseUrl");
});

test("a URL that may not be called is an error of its field, with the reason", async () => {
  for (const [baseUrl, reason] of [
    ["http://gpu.provider.example/v1", "NOT_HTTPS"],
    ["https://127.0.0.1/v1", "PRIVATE_ADDRESS"],
    ["https://169.254.169.254/v1", "PRIVATE_ADDRESS"],
    ["https://a:b@gpu.provider.example/v1", "HAS_CREDENTIALS"],
    ["https://relay.exergy.example/v1", "OWN_HOST"],
  ] as const) {
    await expect(catalog.registerEndpoint(provider, await anEndpoint({ baseUrl }))).rejects.toMatchObject({
      code: "UPSTREAM_URL_REFUSED",
      field: ["baseUrl"],
      details: { reason },
    });
  }
});

test("what cannot be served is refused by field", async () => {
  const register = async (changes: object) => refusal(catalog.registerEndpoint(provider, await anEndpoint(changes)));
  expect(await register({ accelerator: "MI300X" })).toBe("BAD_USER_INPUT accelerator");
  expect(await register({ accelerator: "TPU" })).toBe("BAD_USER_INPUT accelerator");
  expect(await register({ caPem: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----" })).toBe(
    "BAD_USER_INPUT caPem",
  );
  expect(await register({ caPem: "" })).toBe("BAD_USER_INPUT caPem");
  expect(await register({ gpuCount: 0 })).toBe("BAD_USER_INPUT gpuCount");
  expect(await register({ slots: 1.5 })).toBe("BAD_USER_INPUT slots");
  expect(await register({ region: "EU North" })).toBe("BAD_USER_INPUT region");
});

test("a private key that was pasted beside the certificate is not stored", async () => {
  const input = await anEndpoint();
  const pasted = `-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n${input.caPem}`;
  const { caPem } = await catalog.registerEndpoint(provider, { ...input, caPem: pasted });
  expect(caPem).not.toContain("PRIVATE");
  expect(caPem.trim()).toBe(input.caPem.trim());
});

test("providers register for themselves, operators for a provider that they name, others not at all", async () => {
  const [startup, input] = [await world.a("STARTUP"), await anEndpoint()];
  const { operator } = world;
  expect(await refusal(catalog.registerEndpoint(null, input))).toBe("UNAUTHENTICATED");
  expect(await refusal(catalog.registerEndpoint(startup, input))).toBe("FORBIDDEN");
  expect(await refusal(catalog.registerEndpoint(operator, input))).toBe("BAD_USER_INPUT providerId");
  expect(await refusal(catalog.registerEndpoint(operator, { ...input, providerId: startup.organisationId }))).toBe(
    "NOT_FOUND providerId",
  );
  expect(await refusal(catalog.registerEndpoint(stranger, { ...input, providerId: provider.organisationId }))).toBe(
    "NOT_FOUND",
  );
  const made = await catalog.registerEndpoint(operator, { ...input, providerId: provider.organisationId });
  expect(made.providerId).toBe(provider.organisationId);
});

test("an endpoint moves by its table and by version; to a stranger it does not exist", async () => {
  const { id } = await catalog.registerEndpoint(provider, await anEndpoint());
  expect(await refusal(catalog.moveEndpoint(stranger, id, "RETIRED"))).toBe("NOT_FOUND");
  expect(await refusal(catalog.moveEndpoint(provider, id, "LIVE"))).toBe("FORBIDDEN");
  const live = await catalog.moveEndpoint(world.operator, id, "LIVE", 1);
  expect(live).toMatchObject({ state: "LIVE", version: 2 });
  expect(await refusal(catalog.moveEndpoint(provider, id, "DRAINING", 1))).toBe("VERSION_CONFLICT expectedVersion");
  const heard = await world.published("supply.changed", () => catalog.moveEndpoint(provider, id, "DRAINING", 2));
  expect(heard).toBe(1);
  await catalog.moveEndpoint(provider, id, "RETIRED");
  expect(await refusal(catalog.moveEndpoint(world.operator, id, "LIVE"))).toBe("STATE_CONFLICT");
  expect(await refusal(catalog.publishOffering(provider, anOffering(id)))).toBe("STATE_CONFLICT");
});

test("of parallel moves from the same version exactly one wins", async () => {
  const { id } = await catalog.registerEndpoint(provider, await anEndpoint());
  const ends = await Promise.all(
    Array.from({ length: 8 }, () => refusal(catalog.moveEndpoint(world.operator, id, "LIVE", 1))),
  );
  expect(ends.toSorted()).toEqual([...Array(7).fill("VERSION_CONFLICT expectedVersion"), "nothing"]);
});

test("an offering is staged by its provider, put on sale by the operator, withdrawn by its provider", async () => {
  const endpoint = await catalog.registerEndpoint(provider, await anEndpoint());
  const offering = await catalog.publishOffering(provider, anOffering(endpoint.id));
  expect(offering).toMatchObject({ state: "STAGED", version: 1 });
  expect(await refusal(catalog.publishOffering(provider, anOffering(endpoint.id)))).toBe("ALREADY_EXISTS model");
  expect(await refusal(catalog.publishOffering(stranger, anOffering(endpoint.id)))).toBe("NOT_FOUND");
  expect(await refusal(catalog.moveOffering(provider, offering.id, "LIVE"))).toBe("FORBIDDEN");
  expect(await refusal(catalog.moveOffering(stranger, offering.id, "WITHDRAWN"))).toBe("NOT_FOUND");
  expect((await catalog.moveOffering(world.operator, offering.id, "LIVE", 1)).state).toBe("LIVE");
  expect((await catalog.moveOffering(provider, offering.id, "WITHDRAWN", 2)).version).toBe(3);
  expect((await catalog.offeringsByEndpointIds([endpoint.id])).map((row) => row.state)).toEqual(["WITHDRAWN"]);
});

test("an offering's figures have to make sense", async () => {
  const { id } = await catalog.registerEndpoint(provider, await anEndpoint());
  const publish = (changes: object) => refusal(catalog.publishOffering(provider, anOffering(id, changes)));
  expect(await publish({ model: "Llama 3" })).toBe("BAD_USER_INPUT model");
  expect(await publish({ model: "x" })).toBe("BAD_USER_INPUT model");
  expect(await publish({ decodeTokensPerGpuSecond: 0 })).toBe("BAD_USER_INPUT decodeTokensPerGpuSecond");
  expect(await publish({ contextLength: 2 ** 31 })).toBe("BAD_USER_INPUT contextLength");
  expect(await publish({ contextLength: 4_096, maxOutputTokens: 4_097 })).toBe("BAD_USER_INPUT maxOutputTokens");
  expect(await publish({ model: "org/llama-3.1_8b" })).toBe("nothing");
});

test("lists are a provider's own or an operator's all, filtered; startups get none", async () => {
  const mine = await world.a("PROVIDER");
  const far = await catalog.registerEndpoint(mine, await anEndpoint({ region: "ap-east", accelerator: "A100" }));
  const near = await catalog.registerEndpoint(mine, await anEndpoint());
  await catalog.publishOffering(mine, anOffering(far.id, { model: "only-here" }));
  const ids = async (...question: Parameters<Catalog["endpoints"]>) =>
    (await catalog.endpoints(...question)).rows.map(({ id }) => id);
  expect(await ids(mine, {})).toEqual([near.id, far.id]);
  expect(await ids(mine, { first: 1 }, { region: "ap-east", accelerator: "A100", state: "REGISTERED" })).toEqual([
    far.id,
  ]);
  expect(await ids(world.operator, {}, { providerId: mine.organisationId, state: "LIVE" })).toEqual([]);
  expect(await refusal(ids(stranger, {}, { providerId: mine.organisationId }))).toBe("NOT_FOUND");
  const startup = await world.a("STARTUP");
  expect(await refusal(ids(startup, {}))).toBe("FORBIDDEN");
  expect(await refusal(catalog.offerings(startup, {}))).toBe("FORBIDDEN");
  expect((await catalog.offerings(mine, {}, { model: "only-here" })).rows).toHaveLength(1);
  expect((await catalog.offerings(stranger, {}, { endpointId: far.id })).rows).toHaveLength(0);
  expect((await catalog.endpointsByProviderIds([mine.organisationId])).map(({ id }) => id)).toEqual([near.id, far.id]);
});
