/** The limits of keys and organisations: who has how much left, in this process and in all of them together. */
import type { KeyLimits } from "../../accounts/key-limits";
import type { Viewer } from "../../accounts/viewer";
import type { Clock } from "../../platform/clock";
import type { Config, SendingLimits } from "../../platform/config";
import { newId } from "../../platform/ids";
import { Allowance } from "./allowance";
import type { AllowanceStore } from "./allowance-store";
import { Group, type Lack } from "./group";
import { Lender } from "./lender";

const BEAT_MS = 1_000;
/** From so many organisations on, those that have all of their allowance are forgotten: a new one would be the same. */
const GROUPS_SWEPT_AT = 10_000;

export interface RelayLimitsOptions {
  readonly config: Config["relay"]["limits"];
  readonly clock: Clock;
  /** What relays have in common; without it every process counts for itself. */
  readonly store: AllowanceStore | undefined;
  readonly onRefusal: (lack: Lack) => void;
  readonly onFlight: (result: "granted" | "refused" | "failed") => void;
}

export type Limited = Pick<Viewer, "organisationId" | "limits"> & { readonly keyId: string };

export class RelayLimits {
  private readonly groups = new Map<string, Group>();
  private readonly allowances = new Map<string, Allowance>();
  private readonly lender: Lender | null;
  private readonly timer: NodeJS.Timeout | null;
  private readonly nowMs: () => number;
  private sweepAt = GROUPS_SWEPT_AT;

  constructor(private readonly options: RelayLimitsOptions) {
    const { clock, store } = options;
    this.nowMs = () => clock.nowMs();
    this.lender = store === undefined ? null : new Lender(store, newId());
    this.timer = this.lender && setInterval(() => void this.beat(), BEAT_MS).unref();
  }

  /** Without waiting, whoever it is. */
  of(viewer: Limited): Allowance {
    const known = this.allowances.get(viewer.keyId);
    if (known !== undefined && known.options.limits === viewer.limits) return known;
    return this.found(viewer);
  }

  /** Gives back to the other processes what this one holds. */
  async close(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    // The first beat forgets what was used, the second gives back what is left of it.
    await this.beat();
    await this.beat();
  }

  async beat(): Promise<void> {
    await Promise.all([...this.groups.values()].map((group) => group.beat()));
  }

  private found({ organisationId, keyId, limits }: Limited): Allowance {
    const { nowMs, options } = this;
    const { config, onRefusal } = options;
    let group = this.groups.get(organisationId);
    if (group === undefined) {
      this.sweep();
      const { lender } = this;
      const { onFlight } = options;
      group = new Group({ organisationId, limits: config.organisation, lender, nowMs, onFlight });
      this.groups.set(organisationId, group);
    }
    const wanted = effective(limits, config.key);
    const key = group.keys.get(keyId) ?? group.addKey(keyId, wanted);
    key.setLimits(wanted, nowMs());
    const allowance = new Allowance({ group, key, limits, nowMs, onRefusal });
    this.allowances.set(keyId, allowance);
    return allowance;
  }

  private sweep(): void {
    if (this.groups.size < this.sweepAt) return;
    const nowMs = this.nowMs();
    for (const [id, group] of this.groups) {
      if (!group.isAsNew(nowMs)) continue;
      this.groups.delete(id);
      for (const keyId of group.keys.keys()) this.allowances.delete(keyId);
    }
    this.sweepAt = Math.max(GROUPS_SWEPT_AT, this.groups.size * 2);
  }
}

const effective = (own: KeyLimits | undefined, every: SendingLimits): SendingLimits => ({
  requestsPerMinute: own?.requestsPerMinute ?? every.requestsPerMinute,
  tokensPerMinute: own?.tokensPerMinute ?? every.tokensPerMinute,
  concurrentRequests: own?.concurrentRequests ?? every.concurrentRequests,
});
