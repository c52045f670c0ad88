import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { Agent, buildConnector, request } from "undici";
import {
  assertRemoteAddress,
  checkUpstreamUrl,
  type EgressPolicy,
  guardedLookup,
} from "../../src/upstreams/egress-guard";

const strict: EgressPolicy = { allowLoopback: false, ownHosts: [] };

/** Something inside that no provider's URL may ever reach: it counts who gets through. */
let sinkhole: Server;
let connects = 0;
let port: number;

beforeAll(async () => {
  sinkhole = createServer((socket) => {
    connects++;
    socket.on("error", () => {}).destroy();
  }).listen(0, "127.0.0.1");
  await once(sinkhole, "listening");
  port = (sinkhole.address() as AddressInfo).port;
});

beforeEach(() => {
  connects = 0;
});

afterAll(() => sinkhole.close());

/** DNS that answers another address every time it is asked. */
function flippingDns(...answers: string[][]) {
  let asked = 0;
  return guardedLookup(strict, (_hostname, _options, callback) => {
    const answer = answers[asked++ % answers.length] ?? [];
    callback(
      null,
      answer.map((address) => ({ address, family: 4 })),
    );
  });
}

async function outcome(url: string, agent: Agent): Promise<unknown> {
  try {
    await request(url, { dispatcher: agent });
    return "answered";
  } catch (error) {
    return (error as { reason?: string }).reason ?? (error as Error).name;
  } finally {
    await agent.destroy();
  }
}

it("an undici connection to a name that resolves inside is refused before a socket is opened", async () => {
  for (const answer of [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"]]) {
    const agent = new Agent({ connect: { lookup: flippingDns(answer) } });
    expect(await outcome(`https://gpu.example:${port}/`, agent)).toBe("PRIVATE_ADDRESS");
  }
  expect(connects).toBe(0);
});

it("a lookup hook alone does not see an IP literal, which is why the URL is checked before", async () => {
  const url = `https://0x7f000001:${port}/`;
  const agent = new Agent({ connect: { lookup: flippingDns(["127.0.0.1"]) } });
  expect(await outcome(url, agent)).not.toBe("PRIVATE_ADDRESS");
  expect(connects).toBe(1);
  expect(() => checkUpstreamUrl(url, strict)).toThrow("PRIVATE_ADDRESS");
});

it("a socket that got connected inside all the same is recognised before a byte is written", async () => {
  const connect = buildConnector({});
  const refused = new Promise<unknown>((resolve) => {
    connect({ hostname: "127.0.0.1", protocol: "http:", port: String(port) }, (error, socket) => {
      if (error) return resolve(error);
      try {
        assertRemoteAddress(socket, strict);
        resolve("allowed");
      } catch (refusal) {
        resolve((refusal as { reason: string }).reason);
      } finally {
        socket.destroy();
      }
    });
  });
  expect(await refused).toBe("PRIVATE_ADDRESS");
});
