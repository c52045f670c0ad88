/** Exergy as it ships: one process with keys, limits, cost, row policies and streams, on a supply of its own making. */
import { answerCommands, say } from "../commands";
import { type RowsAt, rowsSwitch } from "../rows";
import { openExergy } from "../same-graph";
import { logStatements } from "../statements";
import { openSupply, type SupplyWanted } from "../supply";
import { type Pace, utilizationSource } from "../utilization-source";

async function main(): Promise<void> {
  const statements = logStatements();
  const { services, apiUrl } = await openExergy();
  const supply = await openSupply(services, JSON.parse(process.argv[2]!) as SupplyWanted);
  const rowsAt = rowsSwitch(services);
  const source = utilizationSource(services, supply.providerId);
  say({ url: `${apiUrl}/graphql`, ...supply });
  await answerCommands({
    rows: ({ at }: { at: RowsAt }) => rowsAt(at),
    log: () => statements.start(),
    logged: () => statements.stop(),
    publish: ({ events }: { events: number }) => source.publish(events),
    pace: (pace: Pace) => source.pace(pace),
    collect: () => globalThis.gc?.(),
  });
}

void main();
