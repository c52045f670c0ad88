/** What capacity windows add up to at one instant in one place. */
import type { CapacityWindow } from "../../entities/capacity-window";

export interface Place {
  readonly providerId: string;
  readonly accelerator: string;
  readonly region: string;
  readonly zone: string;
}

export type WindowFacts = Place &
  Readonly<Pick<CapacityWindow, "kind" | "gpuCount" | "startsAt" | "endsAt" | "cancelledAt">>;

/** The start belongs to the window, the end does not. One that was cancelled holds until its cancellation. */
export function covers(window: Pick<WindowFacts, "startsAt" | "endsAt" | "cancelledAt">, at: Date): boolean {
  return (
    window.startsAt <= at &&
    (window.endsAt === null || at < window.endsAt) &&
    (window.cancelledAt === null || at < window.cancelledAt)
  );
}

/** Committed and extra GPUs together, whether or not there is maintenance. */
export function listedGpus(windows: readonly WindowFacts[], place: Place, at: Date): number {
  let gpus = 0;
  for (const window of windows) {
    if (window.kind !== "MAINTENANCE" && isAt(window, place) && covers(window, at)) gpus += window.gpuCount;
  }
  return gpus;
}

export function inMaintenance(windows: readonly WindowFacts[], place: Place, at: Date): boolean {
  return windows.some((window) => window.kind === "MAINTENANCE" && isAt(window, place) && covers(window, at));
}

function isAt(window: Place, place: Place): boolean {
  return (
    window.providerId === place.providerId &&
    window.accelerator === place.accelerator &&
    window.region === place.region &&
    window.zone === place.zone
  );
}
