/** Joins what several processes expose into one scrape: the format wants all series of a metric together, below one HELP and one TYPE. */

interface Family {
  readonly head: string;
  readonly series: string[];
}

/** Of the texts that prom-client makes; each process has a label that tells its series from the others'. */
export function joinMetricTexts(texts: readonly string[]): string {
  if (texts.length === 1) return texts[0]!;
  const families = new Map<string, Family>();
  for (const text of texts) {
    for (const block of text.split(/^(?=# HELP )/m)) {
      const name = /^# HELP (\S+)/.exec(block)?.[1];
      if (name === undefined) continue;
      const lines = block.split("\n").filter((line) => line !== "");
      const family = families.get(name) ?? { head: lines.slice(0, 2).join("\n"), series: [] };
      family.series.push(...lines.slice(2));
      families.set(name, family);
    }
  }
  return [...families.values()].map(({ head, series }) => `${[head, ...series].join("\n")}\n`).join("\n");
}
