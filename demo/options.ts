/** The flags of the demo. */

export interface DemoOptions {
  /** Everything once, the table, then stop; the exit code tells whether the figures add up. */
  readonly once: boolean;
  /** After the table nothing but what others send. */
  readonly quietTraffic: boolean;
}

export const USAGE = `Usage: npm run demo [-- FLAGS]

  --once           show everything once, print the table, stop; exit 0 if all figures add up
  --quiet-traffic  afterwards keep everything up without background traffic
`;

/** Null: a flag that is not one of ours, and the usage is the answer. */
export function parseOptions(args: readonly string[]): DemoOptions | null {
  const known = ["--once", "--quiet-traffic"];
  if (args.some((arg) => !known.includes(arg))) return null;
  return { once: args.includes("--once"), quietTraffic: args.includes("--quiet-traffic") };
}
