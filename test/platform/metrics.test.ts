import { createMetrics } from "../../src/platform/metrics";

test("a scrape shows what was counted, by label, beside the process's own figures", async () => {
  const metrics = createMetrics();
  const requests = metrics.counter({ name: "requests_total", help: "Requests.", labels: ["route"] });
  requests.inc({ route: "/v1/models" }, 2);
  metrics.histogram({ name: "wait_seconds", help: "Waiting.", buckets: [0.1, 1] }).observe(0.5);
  const text = await metrics.text();
  expect(text).toContain('requests_total{route="/v1/models"} 2');
  expect(text).toContain('wait_seconds_bucket{le="0.1"} 0');
  expect(text).toContain('wait_seconds_bucket{le="1"} 1');
  expect(text).toContain("process_resident_memory_bytes");
  expect(metrics.contentType).toContain("text/plain");
});

test("a gauge that is read shows its value of the moment of the scrape", async () => {
  const metrics = createMetrics();
  let waiting = 1;
  metrics.gauge({ name: "waiting", help: "Waiting.", read: () => waiting });
  waiting = 7;
  expect(await metrics.text()).toContain("waiting 7");
});

test("two registries in one process do not know each other's metrics", async () => {
  const [first, second] = [createMetrics(), createMetrics()];
  first.counter({ name: "only_first_total", help: "One." }).inc();
  second.counter({ name: "only_first_total", help: "One." });
  expect(await first.text()).toContain("only_first_total 1");
  expect(await second.text()).toContain("only_first_total 0");
});
