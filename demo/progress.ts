/** Shows what the demo is doing: a spinner on a terminal, plain lines elsewhere. */
import { Listr } from "listr2";

export interface Step {
  readonly title: string;
  /** What it returns stands behind the title when it is done; `tell` shows a line meanwhile. */
  run(tell: (line: string) => void): Promise<string>;
}

/** One after the other; the first that fails ends it. A step that fails while the process stops is not worth a word. */
export async function runSteps(steps: readonly Step[], isStopping: () => boolean): Promise<void> {
  const tasks = steps.map(({ title, run }) => ({
    title,
    task: async (_: unknown, task: { title?: string; output?: string }) => {
      const tell = (line: string) => {
        task.output = line;
      };
      try {
        task.title = `${title}: ${await run(tell)}`;
      } catch (error) {
        if (!isStopping()) throw error;
        await new Promise(() => undefined);
      }
    },
  }));
  // Signals are the process's own to handle: it has more to stop than a spinner.
  await new Listr(tasks, { registerSignalListeners: false, fallbackRenderer: "simple" }).run();
}
