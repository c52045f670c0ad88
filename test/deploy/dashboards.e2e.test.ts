/** What dashboards and alerts ask for is what a running system exports: every metric and every label, in PromQL that parses. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parser } from "@prometheus-io/lezer-promql";
import { parse } from "yaml";
import { Program } from "../demo/program";
import { until } from "../support/leftovers";
import { send } from "../support/raw-request";
import { startRedis, type TestRedis } from "../support/redis";
import { ISSUER, openRelayWorld, type RelayWorld } from "../support/relay-world";
import { completion, delta, httpAnswer, type ScriptedRequest, streamHead } from "../support/scripted-provider";

jest.setTimeout(120_000);

const root = join(__dirname, "../..");
const read = (...path: string[]) => readFileSync(join(root, ...path), "utf8");
const home = join(tmpdir(), `exergy-dashboards-${randomBytes(6).toString("hex")}`);

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly {
    readonly title: string;
    readonly datasource: { readonly uid: string };
    readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
}
interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

const dashboards = readdirSync(join(root, "deploy/grafana/dashboards")).map(
  (file) => JSON.parse(read("deploy/grafana/dashboards", file)) as Dashboard,
);
const rules = (parse(read("deploy/prometheus/rules.yml")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const prometheus = parse(read("deploy/prometheus/prometheus.yml")) as {
  scrape_configs: { job_name: string; static_configs: { targets: string[]; labels: Record<string, string> }[] }[];
};

interface Question {
  readonly where: string;
  readonly expr: string;
  /** Labels that a legend or a message shows. */
  readonly shown: readonly string[];
}

const templated = (text: string) => [...text.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g)].map(([, name]) => name!);
const questions: Question[] = [
  ...dashboards.flatMap(({ uid, panels }) =>
    panels.flatMap(({ title, targets }) =>
      targets.map(({ expr, legendFormat }) => ({
        where: `${uid}: ${title}`,
        expr: expr.replaceAll("$__rate_interval", "1m"),
        shown: templated(legendFormat),
      })),
    ),
  ),
  ...rules.map(({ alert, expr, annotations }) => ({ where: alert, expr, shown: templated(annotations.summary) })),
];

/** Names of metrics, labels that are matched or grouped by, and whether all of it parses. */
function asked(expr: string): { metrics: string[]; labels: string[]; parses: boolean } {
  const [metrics, labels]: string[][] = [[], []];
  let parses = true;
  const cursor = parser.parse(expr).cursor();
  do {
    const text = expr.slice(cursor.from, cursor.to);
    if (cursor.type.isError) parses = false;
    if (cursor.name === "Identifier") metrics!.push(text);
    if (cursor.name === "LabelName") labels!.push(text);
  } while (cursor.next());
  return { metrics: metrics!, labels: labels!, parses };
}

/** What Prometheus adds to every series, and what this system's processes do. */
const ofTargets = new Set(["job", "instance", "role", "process"]);

let world: RelayWorld;
let redis: TestRedis;
let program: Program;
/** By metric, the labels of its series; those of a histogram under the names of its three parts. */
const exported = new Map<string, Set<string>>();

beforeAll(async () => {
  mkdirSync(home);
  redis = await startRedis();
  const secretsDirectory = join(home, "secrets");
  const providers = [
    { model: "acme/m", scripted: true },
    { model: "acme/narrow", scripted: true, slots: 1 },
  ];
  world = await openRelayWorld({ relays: 0, providers, secretsDirectory });
  program = new Program("start", {
    directory: home,
    environment: {
      PORT: "0",
      RELAY_PORT: "0",
      RELAY_PROCESSES: "2",
      REDIS_URL: redis.url,
      DATABASE_URL: world.database.url,
      SECRETS_DIR: secretsDirectory,
      PUBLIC_URL: ISSUER,
      ALLOW_LOOPBACK_UPSTREAMS: "true",
      UPSTREAM_CONNECT_TIMEOUT_MS: "30000",
    },
  });
  await program.says("Exergy is up");
  const [, api] = /"graphql":"([^"]+)\/graphql"/.exec(program.stdout)!;
  const [, relay] = /"relay":"([^"]+)\/v1"/.exec(program.stdout)!;
  await traffic(relay!);
  await crowd(relay!, `${api}/metrics`);
  await fetch(`${api}/graphql`, { method: "POST", body: "{}" });
  await until(
    "the worker to have looked at everything",
    async () => {
      await learn(`${api}/metrics`);
      return ["exergy_sla_open_breaches", "exergy_coverage_ratio"].every((name) => (exported.get(name)?.size ?? 0) > 0);
    },
    20_000,
  );
});
afterAll(async () => {
  await program.clear();
  await world.stop();
  await redis.close();
  rmSync(home, { recursive: true, force: true });
});

const bodyFor = (model: string, stream: boolean) => ({
  ...{ model, stream, max_tokens: 10 },
  messages: [{ role: "user", content: "Well?" }],
});

/** One answer, one stream, one failure, one repeat, one too many: so that what is labelled by them has series. */
async function traffic(relay: string): Promise<void> {
  const startup = await world.addStartup();
  const { scripted } = world.providers[0]!;
  const ask = (stream: boolean, more: { headers?: Record<string, string>; secret?: string } = {}) =>
    send(relay, { secret: startup.secret, body: bodyFor("acme/m", stream), ...more }).answer;
  scripted.play(({ socket }) => void socket.write(httpAnswer("200 OK", completion("Well."))));
  expect((await ask(false)).status).toBe(200);
  for (const _ of [1, 2]) expect((await ask(false, { headers: { "idempotency-key": "once" } })).status).toBe(200);
  const { secret } = await world.services.accounts.createApiKey(world.operator, {
    ...{ organisationId: startup.id, name: "limited", scopes: ["INFER"] },
    limits: { requestsPerMinute: 1 },
  });
  const statuses = await Promise.all([1, 2, 3, 4].map(async () => (await ask(false, { secret })).status));
  expect(statuses).toContain(429);
  scripted.play(({ socket }) => void socket.end(`${streamHead}${delta("Well.")}data: [DONE]\n\n`));
  expect((await ask(true)).text).toContain("[DONE]");
  scripted.play(({ socket }) => void socket.write(httpAnswer("500 No", "{}")));
  expect((await ask(false)).status).toBe(502);
}

/** More than a provider with one slot can serve: each process has one line for it. */
async function crowd(relay: string, metrics: string): Promise<void> {
  const { secret } = await world.addStartup();
  const { scripted } = world.providers[1]!;
  const answer = ({ socket }: ScriptedRequest) => void socket.write(httpAnswer("200 OK", completion("Well.")));
  const held: ScriptedRequest[] = [];
  scripted.play((request) => void held.push(request));
  const asked = Array.from({ length: 5 }, () => send(relay, { secret, body: bodyFor("acme/narrow", false) }).answer);
  await until(
    "some of them to wait",
    async () => /^exergy_relay_queue_depth\S* [1-9]/m.test(await (await fetch(metrics)).text()),
    20_000,
  );
  scripted.play(answer);
  held.forEach(answer);
  await Promise.all(asked);
}

async function learn(url: string): Promise<void> {
  const text = await (await fetch(url)).text();
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const names = type === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name! + end) : [name!];
    for (const one of names) if (!exported.has(one)) exported.set(one, new Set());
  }
  for (const [, name, labels] of text.matchAll(/^(\w+)\{([^}]*)\} /gm)) {
    const known = exported.get(name!);
    for (const [, label] of labels!.matchAll(/(\w+)="/g)) known?.add(label!);
  }
  // A block has been placed by nobody here; its histogram has no series, and its buckets would have this label.
  exported.get("exergy_block_seconds_bucket")?.add("le");
}

test("every question is proper PromQL about metrics that are exported, by labels that these have", () => {
  const faults = questions.flatMap(({ where, expr, shown }) => {
    const { metrics, labels, parses } = asked(expr);
    const unknown = metrics.filter((name) => name !== "up" && !exported.has(name));
    const has = new Set(metrics.flatMap((name) => [...(exported.get(name) ?? [])]));
    const missing = [...labels, ...shown].filter((label) => !has.has(label) && !ofTargets.has(label));
    if (metrics.length === 0) return [`${where}: asks for no metric`];
    return [
      ...(parses ? [] : [`${where}: cannot be parsed: ${expr}`]),
      ...unknown.map((name) => `${where}: nobody exports ${name}`),
      ...missing.map((label) => `${where}: no label ${label} in ${metrics}`),
    ];
  });
  expect(faults).toEqual([]);
  expect(questions.length).toBeGreaterThan(60);
});

test("what is shown of a label survives the aggregation before it", () => {
  const lost = questions.flatMap(({ where, expr, shown }) => {
    const grouped = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(/,\s*/);
    return grouped === undefined
      ? []
      : shown.filter((label) => !grouped.includes(label)).map((label) => [where, label]);
  });
  expect(lost).toEqual([]);
});

test("the relay's own metrics are on some dashboard, all of them", () => {
  const shown = questions.flatMap(({ expr }) =>
    asked(expr).metrics.map((name) => name.replace(/_(bucket|sum|count)$/, "")),
  );
  const own = [...exported.keys()].filter((name) => /^exergy_(relay|routing|lease|hold)/.test(name));
  const unseen = own.filter((name) => !shown.includes(name.replace(/_(bucket|sum|count)$/, "")));
  expect(unseen).toEqual(["exergy_routing_decisions_dropped"]);
});

test("dashboards have names of their own, and ask the source that is provisioned", () => {
  expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(4);
  const { datasources } = parse(read("deploy/grafana/provisioning/datasources/prometheus.yml")) as {
    datasources: { uid: string }[];
  };
  for (const { panels } of dashboards)
    for (const { datasource } of panels) expect(datasource.uid).toBe(datasources[0]!.uid);
});

test("Prometheus asks every process of the compose file, at its port", () => {
  const { services } = parse(read("deploy/docker-compose.yml"), { merge: true }) as {
    services: Record<string, { environment?: { ROLES?: string; PORT?: string } }>;
  };
  const expected = Object.entries(services).flatMap(([name, { environment }]) =>
    environment?.ROLES === undefined ? [] : [`${environment.ROLES} ${name}:${environment.PORT}`],
  );
  const scraped = prometheus.scrape_configs.flatMap(({ static_configs }) =>
    static_configs.flatMap(({ targets, labels }) => targets.map((target) => `${labels.role} ${target}`)),
  );
  expect(scraped.sort()).toEqual(expected.sort());
});

test("every alert says whom it wakes and what is wrong, and the operators' page explains it", () => {
  const page = read("docs/operations.md");
  for (const { alert, labels, annotations } of rules) {
    expect([alert, ["page", "ticket"].includes(labels.severity), annotations.summary.endsWith(".")]).toEqual([
      alert,
      true,
      true,
    ]);
    expect([alert, page.includes(`\`${alert}\``)]).toEqual([alert, true]);
  }
});
