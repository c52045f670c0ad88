/** `npm run bench -- <name> [--quick]`. */
import { benchRelay } from "./relay";

const benches: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = { relay: benchRelay };

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
