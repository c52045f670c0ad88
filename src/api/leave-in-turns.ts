/** Sends many connections away over a window of time: all at once they would all come back at once, to whoever is left. */

/** Of the window, so that the last ones have time to go. */
const SHARE_OF_WINDOW = 0.75;
const TURN_MS = 100;
/** So few come back unnoticed: they need no turns. */
const AT_ONCE_MAX = 25;

/** In a random order and at uneven intervals. Resolves when the last was sent away. */
export async function leaveInTurns<T>(all: T[], windowMs: number, leave: (one: T) => void): Promise<void> {
  const waiting = shuffled(all);
  const turns = Math.max(1, Math.floor((windowMs * SHARE_OF_WINDOW) / TURN_MS));
  const perTurn = Math.max(AT_ONCE_MAX, Math.ceil(waiting.length / turns));
  while (waiting.length > 0) {
    for (const one of waiting.splice(0, perTurn)) leave(one);
    // Around TURN_MS on average: processes that drain together do not beat in time.
    if (waiting.length > 0) await new Promise((resolve) => setTimeout(resolve, TURN_MS * (0.5 + Math.random())));
  }
}

function shuffled<T>(all: readonly T[]): T[] {
  const order = all.map((one) => ({ one, place: Math.random() }));
  return order.sort((a, b) => a.place - b.place).map(({ one }) => one);
}
