/** `npm run bench -- <name> [--quick]`; relay also takes the names of its rows (bench/relay.ts) and `--peers`; live also takes `fan-out`, `idle`, `stalled` and `--minutes <n>` for the last. */
import "reflect-metadata";
import { benchGraphql } from "./graphql";
import { benchLedger } from "./ledger";
import { benchLive } from "./live";
import { benchRelay } from "./relay";

const benches: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  graphql: benchGraphql,
  ledger: benchLedger,
  live: benchLive,
  relay: benchRelay,
};

const [name = "", ...args] = process.argv.slice(2);
const bench = benches[name];
if (bench === undefined) {
  console.error(`Which bench? npm run bench -- ${Object.keys(benches).join(" | ")} [--quick]`);
  process.exit(64);
}
bench(args).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
