import { createMetrics } from "../../src/platform/metrics";

test("a tally and a distribution are scraped as prom-client's counter and histogram are", async () => {
  const [ours, theirs] = [createMetrics({ process: 3 }), createMetrics({ process: 3 })];
  const labels = ["operation", "outcome"] as const;
  const tally = ours.tally({ name: "t_total", help: "T.", labels });
  const counter = theirs.counter({ name: "t_total", help: "T.", labels });
  const buckets = [0.001, 0.5, 2];
  const distribution = ours.distribution({ name: "d_seconds", help: "D.", buckets });
  const histogram = theirs.histogram({ name: "d_seconds", help: "D.", buckets });
  for (const outcome of ["ok", "failed", "ok"]) {
    tally.inc({ operation: "chat", outcome }, 2);
    counter.inc({ operation: "chat", outcome }, 2);
  }
  for (const value of [0, 0.001, 0.25, 2, 7.5]) {
    distribution.observe(value);
    histogram.observe(value);
  }
  const own = (text: string) => text.split("\n").filter((line) => /\b(t_total|d_seconds)/.test(line));
  expect(own(await ours.text())).toEqual(own(await theirs.text()));
});

test("a gauge with labels shows what there is at the scrape, and nothing of what was", async () => {
  const metrics = createMetrics();
  let there = ["a", "b"];
  metrics.gauge<"endpoint">({
    name: "g",
    help: "G.",
    labels: ["endpoint"],
    *readAll() {
      for (const endpoint of there) yield [{ endpoint }, 1];
    },
  });
  expect(await metrics.text()).toContain('g{endpoint="a"} 1\ng{endpoint="b"} 1\n');
  there = ["b"];
  expect(await metrics.text()).not.toContain('g{endpoint="a"}');
});
