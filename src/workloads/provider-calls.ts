/** The calls that one job makes at its provider: files, the job itself, its results. Each is signed, none is a client's. */
import { randomInt, randomUUID } from "node:crypto";
import type { UpstreamEndpoint, Upstreams } from "../upstreams/upstreams";
import { idIn, objectIn } from "./provider-job";

/** Not reached, not answered, or answered that it cannot now: worth another try. */
export class ProviderAway extends Error {
  override readonly name = "ProviderAway";
}

/** The answer says that it will not, whenever it is asked. */
export class ProviderRefuses extends Error {
  override readonly name = "ProviderRefuses";

  constructor(readonly status: number) {
    super(`the provider answered ${status}`);
  }
}

export interface CallTerms {
  readonly upstreams: Upstreams;
  readonly endpoint: UpstreamEndpoint;
  readonly job: { readonly id: string; readonly startupId: string };
  readonly callTimeoutMs: number;
  readonly transferTimeoutMs: number;
  readonly transferBytesMax: number;
}

interface Call {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly body?: Buffer;
  readonly contentType?: string;
  readonly idempotencyKey?: string;
  readonly transfers?: boolean;
}

const ANSWER_BYTES_MAX = 4_194_304;

/** Tokens of one job are told apart by it, those of another process included; none lives for longer than a minute. */
const CALLS_MAX = 2_147_483_647;

export class ProviderCalls {
  constructor(private readonly terms: CallTerms) {}

  /** Answers the provider's id of the file. */
  async upload(content: Buffer, purpose: "batch" | "fine-tune"): Promise<string> {
    // Of our own making, so that nothing in the file can be its end.
    const boundary = `exergy-${randomUUID()}`;
    const part = (head: string) => `--${boundary}\r\ncontent-disposition: form-data; ${head}\r\n`;
    const body = Buffer.concat([
      Buffer.from(`${part('name="purpose"')}\r\n${purpose}\r\n`),
      Buffer.from(`${part('name="file"; filename="input.jsonl"')}content-type: application/jsonl\r\n\r\n`),
      content,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]);
    const contentType = `multipart/form-data; boundary=${boundary}`;
    return idIn(objectIn(await this.call({ method: "POST", path: "/v1/files", body, contentType, transfers: true })));
  }

  /** Making something twice would run it twice: a repeat carries the same key. */
  async create(path: string, what: Readonly<Record<string, unknown>>): Promise<string> {
    const body = Buffer.from(JSON.stringify(what));
    return idIn(objectIn(await this.call({ method: "POST", path, body, idempotencyKey: this.terms.job.id })));
  }

  async read(path: string): Promise<Readonly<Record<string, unknown>>> {
    return objectIn(await this.call({ method: "GET", path }));
  }

  content(fileId: string): Promise<Buffer> {
    return this.call({ method: "GET", path: `/v1/files/${fileId}/content`, transfers: true });
  }

  async tell(path: string): Promise<void> {
    await this.call({ method: "POST", path, body: Buffer.from("{}") });
  }

  async remove(fileId: string): Promise<void> {
    await this.call({ method: "DELETE", path: `/v1/files/${fileId}` });
  }

  /** Errors: ProviderAway, ProviderRefuses. */
  private async call({ method, path, body, transfers = false, ...headers }: Call): Promise<Buffer> {
    const { upstreams, endpoint, job, callTimeoutMs, transferTimeoutMs, transferBytesMax } = this.terms;
    const attempt = {
      endpoint,
      startupId: job.startupId,
      requestId: job.id,
      attempt: randomInt(1, CALLS_MAX),
      method,
      path,
      body: body ?? null,
      accept: "application/json",
      ...headers,
    };
    const answer = await upstreams
      .fetch(attempt, transfers ? transferTimeoutMs : callTimeoutMs, transfers ? transferBytesMax : ANSWER_BYTES_MAX)
      .catch((cause: unknown) => {
        throw new ProviderAway("the provider cannot be reached", { cause });
      });
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    const never = [400, 404, 405, 409, 410, 413, 422].includes(answer.status);
    throw never ? new ProviderRefuses(answer.status) : new ProviderAway(`the provider answered ${answer.status}`);
  }
}
