/** Runs the simulated bank as a process; `--help` names its flags. The callback secret is read from SIMULATED_BANK_SECRET. */
import { parseArgs } from "node:util";
import { type SimulatedBankOptions, startSimulatedBank } from "./server";

const EXIT_USAGE = 64;
const USAGE = `A simulated bank: no money moves.
  --host 127.0.0.1            where it listens
  --port 4010                 0: a free one
  --transit-ms 500            until a payment is under way
  --settle-ms 1500            from there to each next word
  --refuse 0001=AC01          never takes over what goes to an IBAN that ends so; may be repeated
  --return 0002=AC04          sends it back instead of settling it; may be repeated
  --return-late 0003=AC06     settles it, then sends it back; may be repeated
  --callback-url URL          tells what becomes of payments, e.g. http://127.0.0.1:4000/webhooks/bank
  --copies 1                  sends each message so many times
  --shuffle                   says IN_TRANSIT after what follows it
  --lose-every 0              never sends every so many-th message
  --exit-with-stdin           ends when its standard input does, as when whoever started it is gone
The secret of the messages, whsec_…, is in the variable SIMULATED_BANK_SECRET.`;

function readOptions(): SimulatedBankOptions {
  const text = { type: "string" } as const;
  const texts = { type: "string", multiple: true } as const;
  const { values } = parseArgs({
    options: {
      host: text,
      port: text,
      "transit-ms": text,
      "settle-ms": text,
      refuse: texts,
      return: texts,
      "return-late": texts,
      "callback-url": text,
      copies: text,
      shuffle: { type: "boolean" },
      "lose-every": text,
      "exit-with-stdin": { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const secret = process.env.SIMULATED_BANK_SECRET;
  const url = values["callback-url"];
  if (url !== undefined && !secret?.startsWith("whsec_")) throw new Error("SIMULATED_BANK_SECRET is missing: whsec_…");
  return {
    host: values.host ?? "127.0.0.1",
    port: count(values.port, 4010),
    transitMs: count(values["transit-ms"], 500),
    settleMs: count(values["settle-ms"], 1_500),
    rules: {
      refuse: endings(values.refuse),
      return: endings(values.return),
      returnAfterSettling: endings(values["return-late"]),
    },
    ...(url === undefined
      ? {}
      : {
          callbacks: {
            url,
            secret: secret!,
            copies: count(values.copies, 1),
            shuffle: values.shuffle ?? false,
            loseEvery: count(values["lose-every"], 0),
          },
        }),
  };
}

function count(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${text} is no number`);
  return Number(text);
}

function endings(given: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries(
    (given ?? []).map((text) => {
      const match = /^([A-Z0-9]{1,30})=([A-Z0-9]{4})$/.exec(text);
      if (match === null) throw new Error(`${text} is not an ending and a reason, e.g. 0002=AC04`);
      return [match[1]!, match[2]!];
    }),
  );
}

async function main(): Promise<void> {
  const bank = await startSimulatedBank(readOptions());
  const stop = () => void bank.close().then(() => process.exit(0));
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  if (process.argv.includes("--exit-with-stdin")) process.stdin.once("end", stop).resume();
  console.log(JSON.stringify({ url: bank.url, pid: process.pid, simulated: true }));
}

main().catch((error: Error) => {
  console.error(`The simulated bank did not start: ${error.message}\n${USAGE}`);
  process.exit(EXIT_USAGE);
});
