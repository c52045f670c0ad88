/** An OpenAI-compatible HTTPS server that serves the Exergy relay and nobody else: what a GPU provider has to run. */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { JSONWebKeySet } from "jose";
import { completeChat } from "./chat";
import { complete } from "./completions";
import { type EmbeddingsRequest, embed } from "./embeddings";
import { type Behaviour, misbehaves, startControl } from "./faults";
import type { Model } from "./generation";
import type { Generation } from "./paced";
import { createRelayTokenVerifier } from "./relay-token";
import { respond } from "./responses";
import { TrainingFloor, type TrainingOptions } from "./training/floor";
import { parseJson, Refused, readBody, sendError, sendJson } from "./wire";

export interface ReferenceProviderOptions {
  host?: string;
  /** 0: a free one. */
  port?: number;
  tls: { certPem: string; keyPem: string };
  /** Signs the relay's client certificate; a caller without such a certificate does not get past the TLS handshake. */
  clientCaPem: string;
  issuer: string;
  jwksUrl?: string;
  jwks?: JSONWebKeySet;
  /** Our endpoint's id in Exergy. Registration tells it, so it may come later through `setAudience`. */
  audience?: string;
  models: Model[];
  /** False answers as fast as possible; the default is the pace of each model. */
  pace?: boolean;
  /** False exists only for benchmarks, to tell the cost of verification from the rest. Never in production. */
  verifyTokens?: boolean;
  /** Also takes files, batches and fine-tuning jobs, as a training endpoint does. */
  training?: TrainingOptions;
  /** Simulation only: opens the control server on this loopback port (0: a free one). */
  controlPort?: number;
}

/** What we count ourselves, to compare with the statement: requests = inFlight + completed + aborted + refused + failed. */
export interface Numbers {
  requests: number;
  inFlight: number;
  completed: number;
  /** The client went away before the end. */
  aborted: number;
  refused: number;
  failed: number;
  promptTokens: number;
  completionTokens: number;
}

export interface ReferenceProvider {
  /** Without `/v1`. */
  url: string;
  port: number;
  controlUrl: string | undefined;
  numbers(): Numbers;
  setBehaviour(behaviour: Behaviour): void;
  setAudience(audience: string): void;
  /** Where its jobs are; undefined unless it trains. */
  training: TrainingFloor | undefined;
  /** Lets requests end for `graceMs`, then cuts them. */
  close(graceMs?: number): Promise<void>;
}

/** Longer than the relay keeps an idle connection, so that it is never us who closes one that it is about to use. */
const KEEP_ALIVE_MS = 75_000;

export async function startReferenceProvider(options: ReferenceProviderOptions): Promise<ReferenceProvider> {
  const provider = new Provider(options);
  const { host = "127.0.0.1", port = 0, tls, clientCaPem, controlPort } = options;
  const server = createServer(
    {
      cert: tls.certPem,
      key: tls.keyPem,
      ca: clientCaPem,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
      noDelay: true,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => void provider.serve(request, response),
  );
  server.listen(port, host);
  await once(server, "listening");
  const control = controlPort === undefined ? undefined : await startControl(controlPort, provider);
  const boundPort = (server.address() as AddressInfo).port;

  return {
    url: `https://${host.includes(":") ? `[${host}]` : host}:${boundPort}`,
    port: boundPort,
    controlUrl: control && `http://127.0.0.1:${(control.address() as AddressInfo).port}/control`,
    numbers: () => ({ ...provider.numbers }),
    setBehaviour: (behaviour) => provider.setBehaviour(behaviour),
    setAudience: (audience) => provider.setAudience(audience),
    training: provider.training,
    async close(graceMs = 0) {
      const closed = once(server, "close");
      server.close();
      provider.training?.close();
      control?.close();
      control?.closeAllConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

class Provider {
  behaviour: Behaviour = { mode: "normal" };
  audience: string | undefined;
  readonly numbers: Numbers = {
    requests: 0,
    inFlight: 0,
    completed: 0,
    aborted: 0,
    refused: 0,
    failed: 0,
    promptTokens: 0,
    completionTokens: 0,
  };
  readonly training: TrainingFloor | undefined;
  private readonly models: ReadonlyMap<string, Model>;
  private readonly verify: ReturnType<typeof createRelayTokenVerifier> | undefined;
  private readonly pace: boolean;

  constructor(options: ReferenceProviderOptions) {
    this.models = new Map(options.models.map((model) => [model.id, model]));
    this.verify = options.verifyTokens === false ? undefined : createRelayTokenVerifier(options);
    this.pace = options.pace ?? true;
    this.audience = options.audience;
    this.training = options.training && new TrainingFloor(this.models, options.training);
  }

  setBehaviour(behaviour: Behaviour): void {
    this.behaviour = behaviour;
  }

  setAudience(audience: string): void {
    this.audience = audience;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Taken once: what is told to us during a request holds for the next one.
    const { behaviour } = this;
    try {
      if (request.method === "POST") this.count(response, behaviour);
      const body = await readBody(request);
      await this.verify?.(request, body, this.audience);
      const route = `${request.method} ${request.url}`;
      if (route === "GET /v1/numbers") return sendJson(response, 200, this.numbers);
      if (await misbehaves(response, behaviour)) return;
      if (route === "GET /v1/models") return this.listModels(response);
      const generate = <T extends { model: string }>(start: (body: T, generation: Generation) => number) =>
        this.generate(start, parseJson<T>(body), response, behaviour);
      if (route === "POST /v1/chat/completions") return generate(completeChat);
      if (route === "POST /v1/completions") return generate(complete);
      if (route === "POST /v1/responses") return generate(respond);
      if (route === "POST /v1/embeddings") return this.embeddings(parseJson(body), response);
      if (this.train(request, body, response)) return;
      throw new Refused(404, "unknown_route", `${route} is not served here.`);
    } catch (error) {
      sendError(response, error);
    }
  }

  /** False: no route of a training endpoint, or this is none. */
  private train(request: IncomingMessage, body: Buffer, response: ServerResponse): boolean {
    const { pathname: path, searchParams: query } = new URL(request.url ?? "/", "https://provider");
    const { method = "GET", headers } = request;
    const answer = this.training?.serve({ method, path, query, headers, body });
    if (answer === undefined) return false;
    if (Buffer.isBuffer(answer)) response.writeHead(200, { "content-length": answer.length }).end(answer);
    else sendJson(response, 200, answer);
    return true;
  }

  private listModels(response: ServerResponse): void {
    const list = [...this.models.values()].map(({ id, contextLength }) => {
      return { id, object: "model", created: 0, owned_by: "reference-provider", context_length: contextLength };
    });
    sendJson(response, 200, { object: "list", data: list });
  }

  /** Starts a generation in one of its forms. */
  private generate<T extends { model: string; stream?: boolean }>(
    start: (body: T, generation: Generation) => number,
    body: T,
    response: ServerResponse,
    behaviour: Behaviour,
  ): void {
    const model = this.model(body.model);
    const { pace, numbers } = this;
    if (behaviour.mode === "hang" && !body.stream) return;
    numbers.promptTokens += start(body, {
      response,
      model,
      pace,
      behaviour,
      onTokens: (count) => {
        numbers.completionTokens += count;
      },
    });
  }

  private embeddings(body: EmbeddingsRequest, response: ServerResponse): void {
    this.model(body.model);
    const { answer, promptTokens } = embed(body);
    this.numbers.promptTokens += promptTokens;
    sendJson(response, 200, answer);
  }

  private model(id: unknown): Model {
    const model = this.models.get(String(id));
    if (!model) throw new Refused(404, "model_not_found", `The model ${JSON.stringify(id)} is not served here.`);
    return model;
  }

  private count(response: ServerResponse, behaviour: Behaviour): void {
    const { numbers } = this;
    numbers.requests++;
    numbers.inFlight++;
    response.once("close", () => {
      numbers.inFlight--;
      if (response.writableEnded)
        numbers[response.statusCode < 400 ? "completed" : response.statusCode < 500 ? "refused" : "failed"]++;
      else numbers[behaviour.mode === "cut" ? "failed" : "aborted"]++;
    });
  }
}
