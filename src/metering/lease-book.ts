/** What this process may set aside from without asking anybody: its leases by startup, purpose and budgets. No I/O. */
import type { Lease, Moment, SetAside } from "./lease";

export class LeaseBook {
  private readonly leases = new Map<string, Lease>();
  /** The one that is asked for or serves, per startup, purpose and budgets. */
  private readonly current = new Map<string, Lease>();

  static key(startupId: string, purposeKey: string, budgetsKey = ""): string {
    return `${startupId} ${purposeKey} ${budgetsKey}`;
  }

  /** The lease that it was set aside from; null when there is none that may serve, or too little in it. */
  hold(key: string, request: SetAside, now: Moment): Lease | null {
    const lease = this.current.get(key);
    return lease?.isUsable(now) && lease.hold(request, now.upMs) ? lease : null;
  }

  byId(leaseId: string): Lease | undefined {
    return this.leases.get(leaseId);
  }

  /** Asked for or serving; one that closes has made room for the next. */
  currentOf(key: string): Lease | undefined {
    const lease = this.current.get(key);
    return lease?.phase === "ASKED" || lease?.phase === "SERVING" ? lease : undefined;
  }

  add(lease: Lease): void {
    this.leases.set(lease.id, lease);
    this.current.set(lease.key, lease);
  }

  remove(lease: Lease): void {
    this.leases.delete(lease.id);
    if (this.current.get(lease.key) === lease) this.current.delete(lease.key);
  }

  all(): IterableIterator<Lease> {
    return this.leases.values();
  }

  get size(): number {
    return this.leases.size;
  }
}
