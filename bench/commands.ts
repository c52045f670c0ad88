/** The entrant's end of the line to the bench: one JSON line per command in, one per answer out. */
import { createInterface } from "node:readline";

export type Commands = Readonly<Record<string, (command: never) => unknown>>;

export function say(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line ?? null)}\n`);
}

/** `{ do: name, … }` calls `commands[name]`; commands run one after the other. A command that fails ends the process. */
export async function answerCommands(commands: Commands): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line) as { do: string };
    const work = commands[command.do];
    if (work === undefined) throw new Error(`no command ${command.do}`);
    say(await work(command as never));
  }
}
