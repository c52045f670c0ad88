/** One process of several does what must be done once: whoever holds a session's advisory lock in PostgreSQL. */
import { Client } from "pg";
import type { Log } from "./log";

export interface Leadership {
  /** This process is the one, as far as it can know. Losing it shows within a beat: what is done under it must bear two. */
  held(): boolean;
  /** Lets go at once. */
  stop(): Promise<void>;
}

export interface LeadershipOptions {
  readonly url: string;
  /** Those who compete for the same. */
  readonly name: string;
  readonly log: Log;
  /** How often a lock is tried, and a held one is proven. */
  readonly beatMs?: number;
}

const BEAT_MS = 1_000;
const ANSWER_TIMEOUT_MS = 2_000;
/** A leader that neither works nor ends (frozen, cut off) loses its session, and the lock with it. */
const SESSION_IDLE = "10s";

/**
 * On a connection of its own: the lock is lost with it and with nothing else. Resolves after the first try, so that a
 * process alone begins at once. Behind a pooler that shares sessions (PgBouncer by transaction) it holds nothing.
 */
export async function openLeadership({ url, name, log, beatMs = BEAT_MS }: LeadershipOptions): Promise<Leadership> {
  const candidate = new Candidate(url, name, log);
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let beating: Promise<void> = candidate.beat();
  const schedule = () => {
    if (stopped) return;
    timer = setTimeout(() => {
      beating = candidate.beat().then(schedule);
    }, beatMs).unref();
  };
  await beating;
  schedule();
  return {
    held: () => candidate.held,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await beating;
      await candidate.resign();
    },
  };
}

class Candidate {
  held = false;
  private client: Client | undefined;
  private failing = false;

  constructor(
    private readonly url: string,
    private readonly name: string,
    private readonly log: Log,
  ) {}

  /** Takes the lock when it is free, proves the connection when it is held. Failing means not holding. */
  async beat(): Promise<void> {
    try {
      const client = this.client ?? (await this.connect());
      if (this.held) await client.query("SELECT 1");
      else if (await this.take(client)) this.began();
      this.failing = false;
    } catch (err) {
      this.lose(err);
    }
  }

  async resign(): Promise<void> {
    const { client } = this;
    this.held = false;
    this.client = undefined;
    await client?.end().catch(() => undefined);
  }

  private async connect(): Promise<Client> {
    const client = new Client({
      connectionString: this.url,
      application_name: `exergy leader ${this.name}`,
      connectionTimeoutMillis: ANSWER_TIMEOUT_MS,
      query_timeout: ANSWER_TIMEOUT_MS,
      keepAlive: true,
    });
    const gone = (err?: Error) => {
      if (this.client === client) this.lose(err ?? new Error("the connection ended"));
    };
    client.on("error", gone);
    client.on("end", () => gone());
    await client.connect();
    this.client = client;
    await client.query(`SET idle_session_timeout = '${SESSION_IDLE}'`);
    return client;
  }

  private async take(client: Client): Promise<boolean> {
    const { rows } = await client.query<{ taken: boolean }>(
      "SELECT pg_try_advisory_lock(hashtext('exergy.leader'), hashtext($1)) AS taken",
      [this.name],
    );
    // Lost while it was asked for: the answer is about a session that is gone.
    return rows[0]!.taken && this.client === client;
  }

  private began(): void {
    this.held = true;
    this.log.info({ leader: this.name }, "this process leads");
  }

  private lose(err: unknown): void {
    const { client } = this;
    this.client = undefined;
    if (this.held) this.log.warn({ err, leader: this.name }, "this process leads no more");
    else if (!this.failing) this.log.warn({ err, leader: this.name }, "cannot compete for the lead at the moment");
    this.failing = true;
    this.held = false;
    // An open socket that does not answer must not keep the lock.
    client?.end().catch(() => undefined);
  }
}
