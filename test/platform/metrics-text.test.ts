import { createMetrics } from "../../src/platform/metrics";
import { joinMetricTexts } from "../../src/platform/metrics-text";

const ofProcess = (process: number, count: number) => {
  const metrics = createMetrics({ process });
  metrics.counter<"outcome">({ name: "x_total", help: "X.", labels: ["outcome"] }).inc({ outcome: "ok" }, count);
  return metrics;
};

test("series of one metric stand together below one HELP and one TYPE, each with its process", async () => {
  const metrics = createMetrics();
  metrics.gauge({ name: "y", help: "Y." }).set(3);
  metrics.alsoOf(() => Promise.all([ofProcess(1, 5).text(), ofProcess(2, 7).text()]));
  const text = await metrics.text();
  expect(text).toContain(
    '# HELP x_total X.\n# TYPE x_total counter\nx_total{outcome="ok",process="1"} 5\nx_total{outcome="ok",process="2"} 7\n',
  );
  expect(text).toMatch(/^y 3$/m);
  const heads = text.split("\n").filter((line) => line.startsWith("# TYPE "));
  expect(new Set(heads).size).toBe(heads.length);
  expect(text).toMatch(
    /^process_cpu_seconds_total [\d.]+\nprocess_cpu_seconds_total\{process="1"\} [\d.]+\nprocess_cpu/m,
  );
});

test("a text alone stays as it is", () => {
  expect(joinMetricTexts(["# HELP a A.\n# TYPE a gauge\na 1\n"])).toBe("# HELP a A.\n# TYPE a gauge\na 1\n");
});
