/** What the relay says about credit has every digit, also where a double would lose some. */
import { holdAmountNanoCredit } from "../../src/metering/hold-amount";
import { TEMPLATE_TOKENS_MAX } from "../../src/metering/usage-bounds";
import { formatNano, NANO } from "../../src/money/nano";
import { newId } from "../../src/platform/ids";
import { chat } from "../../src/relay/operations/chat";
import { send } from "../support/raw-request";
import { openRelayWorld, type RelayWorld } from "../support/relay-world";

const MODEL = "acme/colossus";
const REGION = "eu-far";
/** 2^53 + 3 nano-credits, which funds of a quarter less come to exactly. */
const AVAILABLE_NANO_CREDIT = 9_007_199_254_740_995n;
const FUNDED_NANO_USD = 7_205_759_403_792_796n;

let world: RelayWorld;

beforeAll(async () => {
  world = await openRelayWorld({ providers: [{}, { region: REGION }] });
  const { pricing, catalog } = world.services;
  await pricing.recordSpotPrices(world.operator, [
    {
      accelerator: "H100",
      region: REGION,
      source: "test",
      priceNanoUsd: 9_999n * NANO + 999_999_999n,
      confidencePpm: 1_000_000n,
      observedAt: world.clock.now(),
    },
  ]);
  const provider = world.providers[1]!;
  const offering = await catalog.publishOffering(provider.viewer, {
    endpointId: provider.endpointId,
    model: MODEL,
    upstreamModel: "colossus",
    architecture: "chat",
    contextLength: 100_000_000,
    maxOutputTokens: 100_000_000,
    prefillTokensPerGpuSecond: 1,
    decodeTokensPerGpuSecond: 1,
  });
  await catalog.moveOffering(world.operator, offering.id, "LIVE");
  await world.refresh();
});
afterAll(() => world.stop());

it("a 402 tells what is left and what is needed beyond 2^53 nano-credits to the last one", async () => {
  const startup = await world.addStartup(0n);
  const { viewer: partner } = await world.organisation("CAPITAL_PARTNER", "Large lender", ["READ", "WRITE"]);
  const facility = await world.services.funding.openFacility(partner, {
    name: "Large",
    limitNanoUsd: 10_000_000n * NANO,
    multiplierPpm: 1_250_000n,
  });
  await world.services.funding.draw(
    partner,
    { facilityId: facility.id, startupId: startup.id, amountNanoUsd: FUNDED_NANO_USD },
    newId(),
  );
  const { body, neededNanoCredit } = askingForWhatADoubleBends();
  const { status, text } = await send(world.relay.url, { secret: startup.secret, body }).answer;
  expect(status).toBe(402);
  expect(JSON.parse(text).error.code).toBe("insufficient_credits");
  expect(text).toContain(`"available":"${formatNano(AVAILABLE_NANO_CREDIT)}"`);
  expect(text).toContain('"available":"9007199.254740995"');
  expect(text).toContain(`"needed":"${formatNano(neededNanoCredit)}"`);
});

/** A request, and what it needs by the prices' own arithmetic, in whole numbers. */
function askingForWhatADoubleBends(): { body: string; neededNanoCredit: bigint } {
  const [route] = world.relay.services.routing.routesOf(MODEL)!;
  for (let maxTokens = 20_000_000; ; maxTokens += 1) {
    const body = JSON.stringify({
      model: MODEL,
      max_tokens: maxTokens,
      messages: [{ role: "user", content: "Hello" }],
    });
    const promptTokens = chat.scan(Buffer.from(body)).promptBytes + TEMPLATE_TOKENS_MAX;
    const neededNanoCredit = holdAmountNanoCredit([route!.quote!], { promptTokens, completionTokens: maxTokens });
    const odd = neededNanoCredit % 2n === 1n;
    if (odd && BigInt(Number(neededNanoCredit)) !== neededNanoCredit) return { body, neededNanoCredit };
  }
}
