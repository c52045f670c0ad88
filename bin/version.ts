/** What is running, as package.json says it. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** From the sources it lies one directory up, from `dist/` two. */
function read(directory: string): string {
  try {
    return (JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as { version: string }).version;
  } catch (error) {
    const above = dirname(directory);
    if (above === directory) throw error;
    return read(above);
  }
}

export const version: string = read(__dirname);
