/** Requests that wait because every endpoint for them is busy: each freed slot goes to the next in turn, at once. */
import type { Candidate, RouteRequest } from "./candidate";
import { refusalOf } from "./refusal";
import { type Ticket, WaitingLines } from "./waiting-lines";

/** `served`: the slot is taken in the waiter's name already. `idle`: no endpoint is merely busy, so there is nothing to wait for. */
export type WaitEnd<Route> =
  | { readonly kind: "served"; readonly route: Route }
  | { readonly kind: "timeout" | "full" | "left" | "idle" };

export interface Waiting<Route> {
  readonly ended: Promise<WaitEnd<Route>>;
  /** The client is gone. */
  leave(): void;
}

interface Waiter<Route> extends Ticket {
  readonly request: RouteRequest;
  readonly routes: ReadonlyMap<string, Route>;
  end(end: WaitEnd<Route>): void;
}

export interface SlotQueueOptions<Route> {
  readonly nowMs: () => number;
  /** Takes a slot of the route's endpoint. */
  readonly begin: (route: Route) => void;
}

export class SlotQueue<Route extends Candidate> {
  private readonly lines = new WaitingLines<Waiter<Route>>();

  constructor(private readonly options: SlotQueueOptions<Route>) {}

  get depth(): number {
    return this.lines.depth;
  }

  wait(routes: readonly Route[], request: RouteRequest, startupId: string, maxMs: number): Waiting<Route> {
    const busy = routes.filter((route) => this.isMerelyBusy(route, request));
    if (busy.length === 0) return over("idle");
    if (maxMs <= 0) return over("timeout");
    let end!: (end: WaitEnd<Route>) => void;
    const ended = new Promise<WaitEnd<Route>>((resolve) => {
      end = resolve;
    });
    const leave = (kind: "timeout" | "left") => {
      this.lines.leave(waiter);
      waiter.end({ kind });
    };
    const timer = setTimeout(() => leave("timeout"), maxMs);
    const waiter: Waiter<Route> = {
      startupId,
      request,
      routes: new Map(busy.map((route) => [route.endpointId, route])),
      onPushedOut: () => waiter.end({ kind: "full" }),
      end: (how) => {
        clearTimeout(timer);
        end(how);
      },
    };
    if (!this.lines.join(waiter, busy)) waiter.end({ kind: "full" });
    // A pause may be over, or slots may have been added, and nobody's end has said so.
    for (const { endpointId } of busy) this.handOver(endpointId);
    return { ended, leave: () => leave("left") };
  }

  /** Newcomers do not overtake whoever waits. */
  isAwaited(route: Route): boolean {
    return this.lines.first(route.endpointId) !== null;
  }

  /** Gives the endpoint's free slots to those whose turn it is. */
  handOver(endpointId: string): void {
    for (;;) {
      const waiter = this.lines.first(endpointId);
      if (waiter === null) return;
      const route = waiter.routes.get(endpointId)!;
      // Busy again, or resting: the next end, or the next newcomer, asks again.
      if (refusalOf(route, waiter.request, this.options.nowMs()) !== null) return;
      this.lines.leave(waiter, endpointId);
      this.options.begin(route);
      waiter.end({ kind: "served", route });
    }
  }

  private isMerelyBusy(route: Route, request: RouteRequest): boolean {
    if (request.excludeEndpointIds.has(route.endpointId)) return false;
    const refusal = refusalOf(route, request, this.options.nowMs());
    return refusal === "SATURATED" || (refusal === null && this.isAwaited(route));
  }
}

const over = (kind: "idle" | "timeout"): Waiting<never> => ({
  ended: Promise.resolve({ kind }),
  leave: () => undefined,
});
