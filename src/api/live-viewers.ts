/** Whoever holds a connection open: let in up to a number per credential, and sent away when the credential ends. */
import type { Accounts } from "../accounts/accounts";
import type { Viewer } from "../accounts/viewer";
import type { EventBus } from "../events/event-bus";
import type { Log } from "../platform/log";

/** How long at most a credential that another process revoked stays in use, when no bus connects the two. */
const CHECK_INTERVAL_MS = 2_000;
const CONNECTIONS_PER_CREDENTIAL_MAX = 200;
/** Longer than this a timer of Node's cannot wait. */
const WAIT_MS_MAX = 86_400_000;

export interface LiveConnection {
  readonly viewer: Viewer | null;
  /** The credential holds no longer. */
  dismiss(reason: string): void;
}

interface Dependencies {
  readonly accounts: Pick<Accounts, "stillValid">;
  readonly bus: EventBus;
  readonly log: Pick<Log, "debug">;
  readonly perCredentialMax?: number | undefined;
}

export class LiveViewers {
  private readonly byCredential = new Map<string, Set<LiveConnection>>();
  private readonly stops: (() => void)[];
  private expiry: { atMs: number; timer: NodeJS.Timeout } | null = null;

  constructor(private readonly dependencies: Dependencies) {
    const { bus } = dependencies;
    const checks = setInterval(() => void this.check(), CHECK_INTERVAL_MS).unref();
    this.stops = [
      bus.on("api-key.revoked", ({ keyId }) => this.dismiss("API key revoked", (viewer) => viewer.keyId === keyId)),
      bus.on("session.revoked", ({ sessionId }) =>
        this.dismiss("Session ended", (viewer) => viewer.sessionId === sessionId),
      ),
      () => clearInterval(checks),
    ];
  }

  /** False: this credential has as many connections as one may have. */
  enter(connection: LiveConnection): boolean {
    const { viewer } = connection;
    if (viewer === null) return true;
    const credential = credentialOf(viewer);
    const connections = this.byCredential.get(credential) ?? new Set();
    if (connections.size >= (this.dependencies.perCredentialMax ?? CONNECTIONS_PER_CREDENTIAL_MAX)) return false;
    connections.add(connection);
    this.byCredential.set(credential, connections);
    if (viewer.expiresAt !== null) this.wakeAt(viewer.expiresAt.getTime());
    return true;
  }

  leave(connection: LiveConnection): void {
    if (connection.viewer === null) return;
    const credential = credentialOf(connection.viewer);
    const connections = this.byCredential.get(credential);
    if (connections?.delete(connection) && connections.size === 0) this.byCredential.delete(credential);
  }

  stop(): void {
    for (const stop of this.stops) stop();
    clearTimeout(this.expiry?.timer);
  }

  /** One timer, for the credential that ends first. */
  private wakeAt(atMs: number): void {
    if (this.expiry !== null && this.expiry.atMs <= atMs) return;
    clearTimeout(this.expiry?.timer);
    const waitMs = Math.min(Math.max(0, atMs - Date.now()), WAIT_MS_MAX);
    this.expiry = { atMs, timer: setTimeout(() => this.expire(), waitMs).unref() };
  }

  private expire(): void {
    this.expiry = null;
    const nowMs = Date.now();
    this.dismiss("Credential expired", ({ expiresAt }) => expiresAt !== null && expiresAt.getTime() <= nowMs);
    for (const { viewer } of this.connections()) if (viewer?.expiresAt) this.wakeAt(viewer.expiresAt.getTime());
  }

  private async check(): Promise<void> {
    const asked = new Set(this.connections().flatMap(({ viewer }) => viewer ?? []));
    if (asked.size === 0) return;
    try {
      const valid = await this.dependencies.accounts.stillValid(asked);
      this.dismiss("Credential revoked or expired", (viewer) => asked.has(viewer) && !valid.has(viewer));
    } catch (err) {
      this.dependencies.log.debug({ err }, "live credentials could not be checked");
    }
  }

  private dismiss(reason: string, which: (viewer: Viewer) => boolean): void {
    for (const connection of this.connections()) {
      if (connection.viewer && which(connection.viewer)) connection.dismiss(reason);
    }
  }

  private connections(): LiveConnection[] {
    return [...this.byCredential.values()].flatMap((connections) => [...connections]);
  }
}

const credentialOf = ({ keyId, memberId, sessionId }: Viewer): string => `${keyId}|${memberId}|${sessionId}`;
