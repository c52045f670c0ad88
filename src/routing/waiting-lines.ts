/** Who waits for a slot at which endpoint: short lines, served startup by startup in turn, so that none starves the others. */

/** What an endpoint serves at once times this may wait for it. */
const PLACES_PER_SLOT = 2;

/** One request in the lines of all endpoints that could serve it. */
export interface Ticket {
  readonly startupId: string;
  /** It was pushed out of the last line that it stood in: somebody who has fewer in it came. */
  readonly onPushedOut: () => void;
}

interface Line {
  /** In the order of their turns. */
  readonly turns: Map<string, Ticket[]>;
  size: number;
}

export class WaitingLines<Waiter extends Ticket> {
  private readonly lines = new Map<string, Line>();
  private readonly placesOf = new Map<Ticket, Set<string>>();

  /** Requests, however many lines each stands in. */
  get depth(): number {
    return this.placesOf.size;
  }

  /** False when every line is full, also of those that have more in it than their share. */
  join(ticket: Waiter, endpoints: readonly { endpointId: string; slots: number }[]): boolean {
    const places = new Set<string>();
    for (const { endpointId, slots } of endpoints) {
      const line = this.lines.get(endpointId) ?? { turns: new Map(), size: 0 };
      if (line.size >= slots * PLACES_PER_SLOT && !this.makeRoom(endpointId, line, ticket.startupId)) continue;
      this.lines.set(endpointId, line);
      const own = line.turns.get(ticket.startupId);
      if (own === undefined) line.turns.set(ticket.startupId, [ticket]);
      else own.push(ticket);
      places.add(endpointId);
      this.resize(endpointId, line, 1);
    }
    if (places.size > 0) this.placesOf.set(ticket, places);
    return places.size > 0;
  }

  /** Whose turn it is; it stays in line until it leaves. */
  first(endpointId: string): Waiter | null {
    const line = this.lines.get(endpointId);
    if (line === undefined) return null;
    const [tickets] = line.turns.values();
    return (tickets?.[0] as Waiter | undefined) ?? null;
  }

  /** Out of all lines; when it was `served` at an endpoint, its startup's next turn there comes after all others'. */
  leave(ticket: Waiter, served?: string): void {
    for (const endpointId of this.placesOf.get(ticket) ?? []) this.remove(endpointId, ticket, endpointId === served);
    this.placesOf.delete(ticket);
  }

  private remove(endpointId: string, ticket: Ticket, endsTurn: boolean): void {
    const line = this.lines.get(endpointId)!;
    const { turns } = line;
    const { startupId } = ticket;
    const rest = turns.get(startupId)!.filter((other) => other !== ticket);
    if (endsTurn || rest.length === 0) turns.delete(startupId);
    if (rest.length > 0) turns.set(startupId, rest);
    this.resize(endpointId, line, -1);
  }

  /** At the cost of whoever has the most in a full line, if that is more than the newcomer would have. */
  private makeRoom(endpointId: string, line: Line, startupId: string): boolean {
    let most: Ticket[] = [];
    for (const tickets of line.turns.values()) if (tickets.length > most.length) most = tickets;
    if (most.length < (line.turns.get(startupId)?.length ?? 0) + 2) return false;
    const last = most.at(-1)!;
    this.remove(endpointId, last, false);
    const places = this.placesOf.get(last)!;
    places.delete(endpointId);
    if (places.size > 0) return true;
    this.placesOf.delete(last);
    last.onPushedOut();
    return true;
  }

  private resize(endpointId: string, line: Line, by: number): void {
    line.size += by;
    if (line.size === 0) this.lines.delete(endpointId);
  }
}
