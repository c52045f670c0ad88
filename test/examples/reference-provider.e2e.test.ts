import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { connect } from "node:tls";
import type { JSONWebKeySet } from "jose";
import { Agent, type Dispatcher, request } from "undici";
import {
  type ReferenceProvider,
  type ReferenceProviderOptions,
  startReferenceProvider,
} from "../../examples/reference-provider/server";
import {
  type CertificateAuthority,
  certificateSha256,
  createCertificateAuthority,
  type Identity,
  issueClientCertificate,
  issueServerCertificate,
} from "../../src/upstreams/certificates";
import { bodySha256, createRelayTokenSigner, publicJwks, RELAY_TOKEN_HEADER } from "../../src/upstreams/relay-token";

const ISSUER = "https://exergy.example";
const AUDIENCE = "endpoint-1";
const KEYS = generateKeyPairSync("ed25519");
const JWKS = publicJwks([{ kid: "key-1", publicKey: KEYS.publicKey }]) as JSONWebKeySet;
const FAST = { id: "fast", contextLength: 4096, decodeTokensPerSecond: 1e6, timeToFirstTokenMs: 0 };
/** So slow that a test which waited for it would time out: only what must not wait passes. */
const SLOW = { id: "slow", contextLength: 4096, decodeTokensPerSecond: 0.01, timeToFirstTokenMs: 0 };
const HELLO = { model: "fast", messages: [{ role: "user", content: "Hello" }] };

let providerCa: CertificateAuthority;
let platformCa: CertificateAuthority;
let relay: Identity;
let server: Identity;
let provider: ReferenceProvider;
let agent: Agent;

beforeAll(async () => {
  providerCa = await createCertificateAuthority("Provider CA");
  platformCa = await createCertificateAuthority("Platform CA");
  relay = await issueClientCertificate(platformCa, { commonName: "relay" });
  server = await issueServerCertificate(providerCa, { dnsNames: [], ipAddresses: ["127.0.0.1"] });
});

beforeEach(async () => {
  provider = await startReferenceProvider(options());
  agent = agentOf(relay);
});

afterEach(async () => {
  await agent.destroy();
  await provider.close();
});

function options(overrides: Partial<ReferenceProviderOptions> = {}): ReferenceProviderOptions {
  return {
    tls: server,
    clientCaPem: platformCa.certPem,
    issuer: ISSUER,
    jwks: JWKS,
    audience: AUDIENCE,
    models: [FAST, SLOW],
    ...overrides,
  };
}

function agentOf(identity: Partial<Identity>): Agent {
  return new Agent({ connect: { ca: providerCa.certPem, cert: identity.certPem, key: identity.keyPem } });
}

interface TokenChanges {
  audience?: string;
  issuer?: string;
  clientCertSha256?: string;
  signedBody?: string;
  ageMs?: number;
  privateKey?: typeof KEYS.privateKey;
  kid?: string;
  requestId?: string;
}

function token(body: string, changes: TokenChanges = {}): string {
  return createRelayTokenSigner({
    privateKey: changes.privateKey ?? KEYS.privateKey,
    kid: changes.kid ?? "key-1",
    issuer: changes.issuer ?? ISSUER,
    clientCertSha256: changes.clientCertSha256 ?? certificateSha256(relay.certPem),
    clock: () => Date.now() - (changes.ageMs ?? 0),
  }).sign({
    audience: changes.audience ?? AUDIENCE,
    requestId: changes.requestId ?? randomUUID(),
    attempt: 1,
    bodySha256: bodySha256(Buffer.from(changes.signedBody ?? body)),
  });
}

function send(path: string, payload?: unknown, headers?: Record<string, string>): Promise<Dispatcher.ResponseData> {
  const body = payload === undefined ? "" : typeof payload === "string" ? payload : JSON.stringify(payload);
  return request(`${provider.url}${path}`, {
    method: payload === undefined ? "GET" : "POST",
    dispatcher: agent,
    headers: { "content-type": "application/json", ...(headers ?? { [RELAY_TOKEN_HEADER]: token(body) }) },
    ...(payload === undefined ? {} : { body }),
  });
}

/** Whatever an answer may contain; a field that is absent fails the assertion that reads it. */
interface Json {
  object: string;
  id: string;
  choices: [{ delta: { content: string }; message: { content: string }; finish_reason: string | null }];
  usage: { completion_tokens: number };
  data: [Datum, ...Datum[]];
  error: { code: string; type: string };
}

interface Datum {
  id: string;
  context_length: number;
  embedding: number[] | string;
}

const json = async (answer: Promise<Dispatcher.ResponseData>) => (await (await answer).body.json()) as Json;
const chat = (more: object = {}) => send("/v1/chat/completions", { ...HELLO, ...more });

async function refusal(answer: Promise<Dispatcher.ResponseData>): Promise<string> {
  const { statusCode, body } = await answer;
  const { error } = (await body.json()) as Json;
  return `${statusCode} ${error.code}`;
}

/** The events of a stream: parsed chunks, with "[DONE]" as itself. */
async function events(answer: Promise<Dispatcher.ResponseData>): Promise<Json[]> {
  const text = await (await answer).body.text();
  const lines = text.split("\n\n").filter(Boolean);
  return lines.map((line) => (line === "data: [DONE]" ? "[DONE]" : JSON.parse(line.replace(/^data: /, ""))));
}

/** Waits for a number that the server counts after it noticed something on a socket. */
async function numbersWhere(holds: (numbers: ReturnType<ReferenceProvider["numbers"]>) => boolean) {
  while (!holds(provider.numbers())) await new Promise((resolve) => setImmediate(resolve));
  return provider.numbers();
}

describe("who is admitted", () => {
  it("a request with our certificate and a fresh token is answered", async () => {
    const { statusCode, headers, body } = await chat();
    expect(statusCode).toBe(200);
    expect(await body.json()).toMatchObject({ object: "chat.completion", model: "fast" });
    expect(Object.keys(headers).sort()).toEqual(["connection", "content-length", "content-type", "date", "keep-alive"]);
  });

  it("a caller without a client certificate, or with one of another authority, gets no answer at all", async () => {
    const foreign = await issueClientCertificate(providerCa, { commonName: "relay" });
    for (const identity of [{}, foreign]) {
      await agent.destroy();
      agent = agentOf(identity);
      await expect(chat()).rejects.toThrow();
    }
    expect(provider.numbers().requests).toBe(0);
  });

  it.each<[string, TokenChanges, string]>([
    ["made for another endpoint", { audience: "endpoint-2" }, "401 relay_token_wrong_aud"],
    ["of another issuer", { issuer: "https://else.example" }, "401 relay_token_wrong_iss"],
    ["that expired", { ageMs: 120_000 }, "401 relay_token_expired"],
    ["from the future", { ageMs: -120_000 }, "401 relay_token_wrong_iat"],
    ["bound to another certificate", { clientCertSha256: "other" }, "401 relay_token_wrong_certificate"],
    ["for another body", { signedBody: "{}" }, "401 relay_token_body_mismatch"],
    ["signed by somebody else", { privateKey: generateKeyPairSync("ed25519").privateKey }, "401 relay_token_invalid"],
    ["with a key id that nobody published", { kid: "key-9" }, "401 relay_token_invalid"],
  ])("a token %s is refused", async (_name, changes, expected) => {
    const body = JSON.stringify(HELLO);
    const answer = send("/v1/chat/completions", body, { [RELAY_TOKEN_HEADER]: token(body, changes) });
    expect(await refusal(answer)).toBe(expected);
    expect(provider.numbers()).toMatchObject({ requests: 1, completionTokens: 0 });
  });

  it("no token, rubbish, and a token without or with a symmetric signature are refused", async () => {
    const [header, claims] = token(JSON.stringify(HELLO)).split(".") as [string, string, string];
    const withAlg = (alg: string) =>
      Buffer.from(JSON.stringify({ alg, typ: "exergy-relay+jwt", kid: "key-1" })).toString("base64url");
    expect(header).not.toBe(withAlg("none"));
    expect(await refusal(send("/v1/chat/completions", HELLO, {}))).toBe("401 relay_token_missing");
    for (const bad of ["rubbish", `${withAlg("none")}.${claims}.`, `${withAlg("HS256")}.${claims}.AAAA`]) {
      expect(await refusal(send("/v1/chat/completions", HELLO, { [RELAY_TOKEN_HEADER]: bad }))).toBe(
        "401 relay_token_invalid",
      );
    }
  });

  it("a token works once, and a refused copy of it does not use it up", async () => {
    const body = JSON.stringify(HELLO);
    const headers = { [RELAY_TOKEN_HEADER]: token(body) };
    expect(await refusal(send("/v1/chat/completions", `${body} `, headers))).toBe("401 relay_token_body_mismatch");
    const first = await send("/v1/chat/completions", body, headers);
    await first.body.dump();
    expect(first.statusCode).toBe(200);
    expect(await refusal(send("/v1/chat/completions", body, headers))).toBe("401 relay_token_replayed");
  });

  it("an endpoint that does not know its id admits nobody until it is told", async () => {
    await provider.close();
    const { audience: _, ...unregistered } = options();
    provider = await startReferenceProvider(unregistered);
    expect(await refusal(chat())).toBe("401 endpoint_not_registered");
    provider.setAudience(AUDIENCE);
    expect((await json(chat())).object).toBe("chat.completion");
  });

  it("a connection that resumed its TLS session is still bound to the certificate", async () => {
    const body = JSON.stringify(HELLO);
    const open = (session?: Buffer) =>
      connect({
        port: provider.port,
        host: "127.0.0.1",
        ca: providerCa.certPem,
        cert: relay.certPem,
        key: relay.keyPem,
        session,
      });
    const first = open();
    const [session] = (await once(first, "session")) as [Buffer];
    first.destroy();
    const second = open(session);
    await once(second, "secureConnect");
    expect(second.isSessionReused()).toBe(true);
    second.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${body.length}\r\n${RELAY_TOKEN_HEADER}: ${token(body)}\r\n\r\n${body}`,
    );
    expect(Buffer.concat(await second.toArray()).toString()).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  it("the keys may come from the issuer's address; when that is down, the answer says so", async () => {
    const issuer: Server = createServer((_request, response) => response.end(JSON.stringify(JWKS))).listen(
      0,
      "127.0.0.1",
    );
    await once(issuer, "listening");
    const jwksUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/.well-known/jwks.json`;
    const { jwks: _, ...remote } = options({ jwksUrl });
    await provider.close();
    provider = await startReferenceProvider(remote);
    expect((await json(chat())).object).toBe("chat.completion");
    await provider.close();
    issuer.closeAllConnections();
    issuer.close();
    provider = await startReferenceProvider(remote);
    expect(await refusal(chat())).toBe("503 relay_keys_unavailable");
  });
});

describe("what is answered", () => {
  it("the same prompt gets the same text, whole or streamed, and other prompts another one", async () => {
    const whole = await json(chat());
    const chunks = await events(chat({ stream: true }));
    const streamed = chunks
      .slice(0, -1)
      .map((chunk) => chunk.choices[0].delta.content ?? "")
      .join("");
    const other = await json(chat({ messages: [{ role: "user", content: [{ type: "text", text: "Hello!" }] }] }));
    expect(whole.choices[0]).toMatchObject({
      index: 0,
      finish_reason: "stop",
      message: { role: "assistant", content: streamed },
    });
    expect(streamed).toMatch(/^[A-Z][a-z]+( [A-Za-z]+\.?)+\.$/);
    expect(other.choices[0].message.content).not.toBe(streamed);
  });

  it("prompt tokens follow the published rule, completion tokens the limit, and both reach our own numbers", async () => {
    const { usage, choices } = await json(chat({ max_tokens: 5 }));
    // 3 for the request, 4 for the message, ceil(5 bytes / 4) for "Hello".
    expect(usage).toEqual({ prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 });
    expect(choices[0].finish_reason).toBe("length");
    expect(choices[0].message.content.split(" ")).toHaveLength(5);
    expect((await json(chat({ max_completion_tokens: 2, max_tokens: 9 }))).usage.completion_tokens).toBe(2);
    await numbersWhere(({ inFlight }) => inFlight === 0);
    expect(await json(send("/v1/numbers"))).toEqual({
      requests: 2,
      inFlight: 0,
      completed: 2,
      aborted: 0,
      refused: 0,
      failed: 0,
      promptTokens: 18,
      completionTokens: 7,
    });
  });

  it("a stream opens with the role, carries one token a chunk and ends with usage and [DONE]", async () => {
    const answer = chat({ stream: true, max_tokens: 3, stream_options: { include_usage: true } });
    expect((await answer).headers["content-type"]).toMatch(/^text\/event-stream/);
    const chunks = await events(answer);
    const [role, ...rest] = chunks;
    expect(role?.choices[0]).toMatchObject({ delta: { role: "assistant", content: "" }, finish_reason: null });
    expect(
      rest.slice(0, 3).every((chunk) => /^ ?\w+$/.test(chunk.choices[0].delta.content) && chunk.usage === null),
    ).toBe(true);
    expect(rest[3]?.choices[0]).toMatchObject({ delta: {}, finish_reason: "length" });
    expect(rest[4]).toMatchObject({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 } });
    expect(rest[5]).toBe("[DONE]");
    expect(new Set(chunks.slice(0, -1).map((chunk) => chunk.id)).size).toBe(1);
  });

  it("a stream says nothing of usage when it was not asked to", async () => {
    const chunks = await events(chat({ stream: true, max_tokens: 3 }));
    expect(chunks).toHaveLength(6);
    expect(chunks.slice(0, -1).some((chunk) => "usage" in chunk)).toBe(false);
  });

  it("embeddings are unit vectors, as numbers or as the base64 that the official client asks for", async () => {
    const numbers = await json(send("/v1/embeddings", { model: "fast", input: ["one", "two"] }));
    const [first, second] = numbers.data.map((entry) => entry.embedding) as [number[], number[]];
    expect(Math.hypot(...first)).toBeCloseTo(1);
    expect(first).not.toEqual(second);
    expect(numbers.usage).toEqual({ prompt_tokens: 2, total_tokens: 2 });
    const base64 = await json(send("/v1/embeddings", { model: "fast", input: "one", encoding_format: "base64" }));
    const bytes = Buffer.from(base64.data[0].embedding as string, "base64");
    expect(bytes.readFloatLE(0)).toBeCloseTo(first[0] ?? Number.NaN);
    expect(bytes).toHaveLength(first.length * 4);
  });

  it("vectors have the dimensions that were asked for, and tokens may stand for texts", async () => {
    const answer = await json(send("/v1/embeddings", { model: "fast", input: [[1, 2], [3]], dimensions: 8 }));
    expect(answer.data.map((entry) => entry.embedding)).toEqual([expect.any(Array), expect.any(Array)]);
    expect(answer.data.every((entry) => entry.embedding.length === 8)).toBe(true);
    expect(answer.usage).toEqual({ prompt_tokens: 3, total_tokens: 3 });
  });

  it("completions of several prompts have their endings, those included that are not shown", async () => {
    const answer = await json(send("/v1/completions", { model: "fast", prompt: ["one", "two"], n: 2, best_of: 3 }));
    expect(answer.choices).toHaveLength(4);
    expect(answer.usage).toEqual({ prompt_tokens: 2, completion_tokens: 6 * 16, total_tokens: 2 + 6 * 16 });
  });

  it("a completion streams what it would say whole, after the prompt if that is to be echoed", async () => {
    const ask = { model: "fast", prompt: "one", max_tokens: 4, echo: true };
    const whole = (await json(send("/v1/completions", ask))) as unknown as { choices: [{ text: string }] };
    const chunks = (await events(send("/v1/completions", { ...ask, stream: true }))) as unknown as (typeof whole)[];
    expect(chunks.pop()).toBe("[DONE]");
    expect(chunks.map(({ choices }) => choices[0].text).join("")).toBe(whole.choices[0].text);
    expect(whole.choices[0].text).toMatch(/^one[A-Z]/);
  });

  it("a response is told in numbered events, the last of which is the response that is answered whole", async () => {
    const ask = { model: "fast", input: "Hello", instructions: "Be brief.", max_output_tokens: 4 };
    const whole = await json(send("/v1/responses", ask));
    const text = await (await send("/v1/responses", { ...ask, stream: true })).body.text();
    const told = text
      .trimEnd()
      .split("\n\n")
      .map((event) => JSON.parse(event.split("\ndata: ")[1]!));
    expect(told.map(({ sequence_number }) => sequence_number)).toEqual(told.map((_, index) => index));
    const { type, response } = told.at(-1);
    expect(type).toBe("response.incomplete");
    const { output, usage, status } = whole as unknown as Record<string, [{ content: unknown }]>;
    expect(response).toMatchObject({ status, usage, output: [{ content: output![0].content }] });
    expect(usage).toMatchObject({ input_tokens: 16, output_tokens: 4 });
  });

  it("the list of models names their context", async () => {
    const { data } = await json(send("/v1/models"));
    expect(data.map((model) => [model.id, model.context_length])).toEqual([
      ["fast", 4096],
      ["slow", 4096],
    ]);
  });

  it.each<[string, unknown, string]>([
    ["JSON that does not parse", "{", "400 invalid_json"],
    ["JSON that is no object", "7", "400 invalid_json"],
    ["a model that is not served", { ...HELLO, model: "other" }, "404 model_not_found"],
    ["no messages", { model: "fast", messages: [] }, "400 invalid_messages"],
    ["a negative limit", { ...HELLO, max_tokens: -1 }, "400 invalid_max_tokens"],
    ["several choices", { ...HELLO, n: 2 }, "400 unsupported_n"],
    [
      "a prompt beyond the context",
      { ...HELLO, messages: [{ role: "user", content: "x".repeat(4 * 4096) }] },
      "400 context_length_exceeded",
    ],
  ])("%s is refused with a reason", async (_name, body, expected) => {
    expect(await refusal(send("/v1/chat/completions", body))).toBe(expected);
    expect(await numbersWhere(({ inFlight }) => inFlight === 0)).toMatchObject({ refused: 1, completionTokens: 0 });
  });

  it("a body beyond the limit is refused before it is read to its end", async () => {
    expect(await refusal(send("/v1/chat/completions", "x".repeat(65 * 1024 * 1024), {}))).toBe("413 body_too_large");
  });
});

describe("when the client goes away", () => {
  it("a stream stops generating at once and counts as aborted, with the tokens it made", async () => {
    const { body } = await chat({ model: "slow", stream: true });
    body.on("error", () => {});
    await once(body, "data");
    body.destroy();
    expect(await numbersWhere(({ aborted }) => aborted === 1)).toMatchObject({ inFlight: 0, completionTokens: 1 });
  });

  it("a whole answer that is still being made counts as aborted", async () => {
    const controller = new AbortController();
    const body = JSON.stringify({ ...HELLO, model: "slow" });
    const answer = request(`${provider.url}/v1/chat/completions`, {
      method: "POST",
      dispatcher: agent,
      headers: { [RELAY_TOKEN_HEADER]: token(body) },
      body,
      signal: controller.signal,
    });
    await numbersWhere(({ promptTokens }) => promptTokens > 0);
    controller.abort();
    await expect(answer).rejects.toThrow(/abort/i);
    expect(await numbersWhere(({ aborted }) => aborted === 1)).toMatchObject({ inFlight: 0, completionTokens: 0 });
  });

  it("a reader that does not read stops the generation instead of filling the memory", async () => {
    await provider.close();
    const huge = { ...FAST, id: "x".repeat(1_000_000) };
    provider = await startReferenceProvider(options({ models: [huge], pace: false }));
    const answer = await chat({ model: huge.id, stream: true });
    // Every chunk names the model, so the whole stream is more than 24 MB; the sockets' buffers hold less.
    // The other requests give the generation many turns in which it could go on.
    for (let turn = 0; turn < 50; turn++) await json(send("/v1/numbers"));
    expect(provider.numbers().completionTokens).toBeLessThan(24);
    expect((await answer.body.text()).endsWith("data: [DONE]\n\n")).toBe(true);
    expect(provider.numbers().completionTokens).toBeGreaterThanOrEqual(24);
  });
});

describe("a provider that is told to misbehave", () => {
  it("slow: answers, later", async () => {
    provider.setBehaviour({ mode: "slow", delayMs: 80 });
    const startedAtMs = performance.now();
    expect((await json(chat())).object).toBe("chat.completion");
    expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(78);
  });

  it("fail: answers 500, or the status that it was given", async () => {
    provider.setBehaviour({ mode: "fail" });
    expect(await refusal(chat())).toBe("500 simulated_failure");
    provider.setBehaviour({ mode: "fail", status: 429, retryAfterSeconds: 3 });
    const busy = await chat();
    expect([busy.statusCode, busy.headers["retry-after"]]).toEqual([429, "3"]);
    expect(((await busy.body.json()) as Json).error.type).toBe("rate_limit_error");
  });

  it("hang: accepts and never answers, or stops in the middle of a stream", async () => {
    provider.setBehaviour({ mode: "hang" });
    const silent = chat().catch((error: Error) => error);
    await numbersWhere(({ inFlight }) => inFlight === 1);
    provider.setBehaviour({ mode: "hang", afterChunks: 2 });
    const { body } = await chat({ stream: true });
    const text = new Promise<string>((resolve) => {
      let seen = "";
      body
        .on("error", () => {})
        .on("data", (chunk) => {
          seen += chunk;
          if (seen.split("data: ").length === 4) resolve(seen); // The role and two words.
        });
    });
    expect(await text).not.toContain("[DONE]");
    expect(provider.numbers()).toMatchObject({ inFlight: 2, completionTokens: 2 });
    await agent.destroy();
    expect(await silent).toBeInstanceOf(Error);
    expect((await numbersWhere(({ inFlight }) => inFlight === 0)).aborted).toBe(2);
  });

  it.each([0, 2, 1000])("cut: the connection breaks after %d chunks and no [DONE] comes", async (afterChunks) => {
    provider.setBehaviour({ mode: "cut", afterChunks });
    let seen = "";
    const read = async () => {
      for await (const chunk of (await chat({ stream: true, max_tokens: 4 })).body) seen += chunk;
    };
    await expect(read()).rejects.toThrow();
    expect(seen.match(/"delta":{"content":"[^"]+"}/g) ?? []).toHaveLength(Math.min(afterChunks, 4));
    expect(seen).not.toContain('finish_reason":"');
    expect(await numbersWhere(({ inFlight }) => inFlight === 0)).toMatchObject({ failed: 1, aborted: 0 });
  });

  it("cut: a whole answer breaks in its middle", async () => {
    provider.setBehaviour({ mode: "cut", afterChunks: 1 });
    const { body } = await chat();
    await expect(body.text()).rejects.toThrow();
  });
});

describe("as a process", () => {
  let child: ChildProcess;

  afterEach(() => child.kill("SIGKILL"));

  /** Compiles as it loads, with the compiler that the tests use, so that no build has to come first. */
  const RUN_MAIN = `
    const swc = require("@swc/core");
    const options = { ...require("./swc.json"), swcrc: false };
    require.extensions[".ts"] = (module, file) => module._compile(swc.transformFileSync(file, options).code, file);
    require("./examples/reference-provider/main.ts");`;

  async function start(config: object): Promise<string> {
    child = spawn(process.execPath, ["-e", RUN_MAIN], {
      cwd: join(__dirname, "../.."),
      env: { ...process.env, REFERENCE_PROVIDER: JSON.stringify(config) },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const [line] = (await Promise.race([once(child.stdout!, "data"), once(child.stderr!, "data")])) as [Buffer];
    return line.toString();
  }

  it("prints where it listens, obeys its control port and ends on SIGTERM", async () => {
    const { url, pid, controlUrl } = JSON.parse(await start(options({ controlPort: 0, audience: "unknown" })));
    expect([url, pid]).toEqual([expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/), child.pid]);
    const control = (body: object) => json(request(controlUrl, { method: "POST", body: JSON.stringify(body) }));
    const ask = () => {
      const body = JSON.stringify(HELLO);
      const headers = { [RELAY_TOKEN_HEADER]: token(body) };
      return request(`${url}/v1/chat/completions`, { method: "POST", dispatcher: agent, headers, body });
    };
    expect(await refusal(ask())).toBe("401 relay_token_wrong_aud");
    expect(await control({ audience: AUDIENCE })).toMatchObject({ audience: AUDIENCE, behaviour: { mode: "normal" } });
    expect((await json(ask())).object).toBe("chat.completion");
    await control({ behaviour: { mode: "fail", status: 503 } });
    expect(await refusal(ask())).toBe("503 simulated_failure");
    for (const behaviour of [{ mode: "sulk" }, { mode: "slow" }, { mode: "fail", status: 99 }, 7]) {
      expect(await control({ behaviour })).toEqual({ error: expect.any(String) });
    }
    expect(await json(request(controlUrl))).toMatchObject({ numbers: { completed: 1, refused: 1, failed: 1 } });
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  it("goes when the parent that holds its stdin goes", async () => {
    await start({ ...options(), exitWhenStdinCloses: true });
    child.stdin!.destroy();
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  it("says in one line what is wrong with its configuration", async () => {
    expect(await start({ issuer: ISSUER })).toMatch(/Missing in the configuration: tls, clientCaPem, models\.\n$/);
    expect(await once(child, "exit")).toEqual([78, null]);
  });
});
