/** Simulation control, not part of a real provider: how the demo and the tests tell this server to misbehave. */
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { Refused } from "./wire";

export type Behaviour =
  | { mode: "normal" }
  /** The first byte comes this much later. */
  | { mode: "slow"; delayMs: number }
  /** Answers an error: 500, or for example 429 with Retry-After. */
  | { mode: "fail"; status?: number; retryAfterSeconds?: number }
  /** Accepts and never answers; with `afterChunks` a stream stops there, its connection left open. */
  | { mode: "hang"; afterChunks?: number }
  /** Destroys the connection after this many chunks of a stream, or in the middle of another answer. */
  | { mode: "cut"; afterChunks: number };

const MODES = ["normal", "slow", "fail", "hang", "cut"];

/** Throws TypeError with the reason; the words come from whoever runs the demo, so they are only checked roughly. */
export function parseBehaviour(value: unknown): Behaviour {
  const behaviour = value as Behaviour | null;
  if (!behaviour || !MODES.includes(behaviour.mode))
    throw new TypeError(`behaviour.mode is one of ${MODES.join(", ")}.`);
  for (const [name, setting] of Object.entries(behaviour)) {
    if (name !== "mode" && !(Number.isInteger(setting) && setting >= 0))
      throw new TypeError(`${name} is a whole number.`);
  }
  if (
    behaviour.mode === "fail" &&
    behaviour.status !== undefined &&
    !(behaviour.status >= 400 && behaviour.status < 600)
  )
    throw new TypeError("status is from 400 to 599.");
  if (behaviour.mode === "slow" && behaviour.delayMs === undefined) throw new TypeError("slow needs delayMs.");
  if (behaviour.mode === "cut" && behaviour.afterChunks === undefined) throw new TypeError("cut needs afterChunks.");
  return behaviour;
}

/** Simulation: true if the request shall not be answered as usual. */
export async function misbehaves(response: ServerResponse, behaviour: Behaviour): Promise<boolean> {
  if (behaviour.mode === "slow") await new Promise((resolve) => setTimeout(resolve, behaviour.delayMs));
  if (behaviour.mode === "fail") {
    const { status = 500, retryAfterSeconds } = behaviour;
    if (retryAfterSeconds !== undefined) response.setHeader("retry-after", retryAfterSeconds);
    throw new Refused(status, "simulated_failure", "This provider was told to fail.");
  }
  if (behaviour.mode === "cut" && behaviour.afterChunks === 0) response.destroy();
  return response.destroyed || (behaviour.mode === "hang" && behaviour.afterChunks === undefined);
}

export interface Controlled {
  behaviour: Behaviour;
  audience: string | undefined;
  numbers: unknown;
  setBehaviour(behaviour: Behaviour): void;
  setAudience(audience: string): void;
}

/** Plain HTTP on loopback only: `GET /control` tells the state, `POST /control` changes `behaviour` and `audience`. */
export async function startControl(port: number, provider: Controlled): Promise<Server> {
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (request.url !== "/control") return answer(404, { error: "Only /control is here." });
    try {
      if (request.method === "POST") {
        const { behaviour, audience } = JSON.parse((await request.toArray()).join("")) as Record<string, unknown>;
        if (behaviour !== undefined) provider.setBehaviour(parseBehaviour(behaviour));
        if (audience !== undefined) provider.setAudience(String(audience));
      }
      answer(200, { behaviour: provider.behaviour, audience: provider.audience, numbers: provider.numbers });
    } catch (error) {
      answer(400, { error: (error as Error).message });
    }
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}
