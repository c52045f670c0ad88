/** When an alert about coverage opens and closes, as a table. */

export type AlertState = "NONE" | "OPEN";
export type CoverageVerdict = "COVERED" | "BELOW";
export type AlertStep = "OPEN" | "CLOSE" | "KEEP";

const steps: Readonly<Record<AlertState, Readonly<Record<CoverageVerdict, AlertStep>>>> = {
  NONE: { COVERED: "KEEP", BELOW: "OPEN" },
  OPEN: { COVERED: "CLOSE", BELOW: "KEEP" },
};

export const nextAlert = (state: AlertState, verdict: CoverageVerdict): AlertStep => steps[state][verdict];
