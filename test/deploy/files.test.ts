/** What the files of deploy/ say is what the program understands: variables, ports, times, metrics, programs. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { environmentSchema, readConfig } from "../../src/platform/config";
import { type Manifest, renderChart } from "./chart-template";

const root = join(__dirname, "../..");
const read = (...path: string[]) => readFileSync(join(root, ...path), "utf8");

const known = new Set(Object.keys(environmentSchema.shape));
const roles = ["api", "relay", "worker"] as const;

interface Service {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly stop_grace_period?: string;
  readonly read_only?: boolean;
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { condition: string }>>;
}

const compose = parse(read("deploy/docker-compose.yml"), { merge: true }) as {
  services: Readonly<Record<string, Service>>;
  volumes: Readonly<Record<string, null>>;
};
const ours = Object.entries(compose.services).filter(([, { image }]) => image === "exergy");
const dockerfile = read("deploy/Dockerfile");
const nginx = read("deploy/nginx/nginx.conf");
const upstreams = read("deploy/nginx/upstreams.conf");

const chart = (change: (values: Values) => void = () => undefined) =>
  renderChart(join(root, "deploy/helm/exergy"), (values) => {
    Object.assign((values as unknown as Values).config, { PUBLIC_URL: "https://api.example.com" });
    change(values as unknown as Values);
  });
interface Values {
  config: Record<string, string>;
  ingress: { enabled: boolean; host: string };
  networkPolicy: { enabled: boolean };
  roles: Record<string, { autoscaling: { enabled: boolean; perPod?: number } }>;
}
const ofKind = (manifests: readonly Manifest[], kind: string) => manifests.filter((one) => one.kind === kind);
const named = (manifests: readonly Manifest[], kind: string, name: string) =>
  ofKind(manifests, kind).find(({ metadata }) => metadata.name === name)!;

/** Compose's `${NAME}`, `${NAME:-default}` and `${NAME:?message}`, with these values. */
const filled = (text: string, values: Readonly<Record<string, string>>) =>
  text.replaceAll(/\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}/g, (_, name, fallback) => values[name] ?? fallback ?? "");

describe("docker-compose.yml", () => {
  const settings = Object.fromEntries(
    [...read("deploy/env.example").matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name!, value || "s3cret"]),
  );
  const environmentOf = ({ environment = {} }: Service) =>
    Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, filled(String(value), settings)]));

  it("runs two of each role, and a migration before them", () => {
    const count = (role: string) => ours.filter(([, { environment }]) => environment?.ROLES === role).length;
    expect(roles.map(count)).toEqual([2, 2, 2]);
    for (const [name, { depends_on }] of ours.filter(([name]) => name !== "migrate")) {
      expect([name, depends_on?.migrate?.condition]).toEqual([name, "service_completed_successfully"]);
    }
  });

  it("sets only variables that Exergy reads, to values that it accepts", () => {
    for (const [name, service] of ours) {
      const environment = environmentOf(service);
      expect([name, Object.keys(environment).filter((variable) => !known.has(variable))]).toEqual([name, []]);
      expect(() => readConfig(environment)).not.toThrow();
    }
  });

  it("asks for nothing that env.example does not name", () => {
    const asked = [...read("deploy/docker-compose.yml").matchAll(/\$\{(\w+)/g)].map(([, name]) => name!);
    expect(asked.filter((name) => !(name in settings))).toEqual([]);
  });

  it("gives every process of ours time to drain, a root that cannot be written, and the same secrets", () => {
    for (const [name, service] of ours) {
      const { drainGraceMs } = readConfig(environmentOf(service));
      expect([name, seconds(service.stop_grace_period)]).toEqual([name, expect.any(Number)]);
      expect(seconds(service.stop_grace_period) * 1_000).toBeGreaterThan(drainGraceMs + afterDrainMs());
      expect([name, service.read_only, service.volumes]).toEqual([name, true, ["secrets:/var/lib/exergy"]]);
    }
  });

  it("mounts files that are there and volumes that it declares", () => {
    for (const { volumes = [] } of Object.values(compose.services)) {
      for (const volume of volumes) {
        const [from] = volume.split(":");
        if (from!.startsWith(".")) expect([from, existsSync(join(root, "deploy", from!))]).toEqual([from, true]);
        else expect(Object.keys(compose.volumes)).toContain(from);
      }
    }
  });

  it("starts programs that are in bin/", () => {
    const programs = [
      ...JSON.stringify(compose.services).matchAll(/dist\/bin\/([\w-]+)\.js/g),
      ...dockerfile.matchAll(/dist\/bin\/([\w-]+)\.js/g),
      ...JSON.stringify(chart()).matchAll(/dist\/bin\/([\w-]+)\.js/g),
      ...read("deploy/helm/exergy/templates/NOTES.txt").matchAll(/dist\/bin\/([\w-]+)\.js/g),
    ].map(([, name]) => name!);
    expect(new Set(programs)).toEqual(new Set(["migrate", "make-secrets", "start", "operator"]));
    for (const program of programs) expect(existsSync(join(root, "bin", `${program}.ts`))).toBe(true);
  });

  it("names as nginx's servers the services that there are, at the ports that they listen on", () => {
    const servers = [...upstreams.matchAll(/server ([\w-]+):(\d+)/g)].map(([, name, port]) => [name!, Number(port)]);
    const expected = ours.flatMap(([name, service]) => {
      const { port, relayPort, roles: does } = readConfig(environmentOf(service));
      if (service.environment?.ROLES === undefined || does.includes("worker")) return [];
      return [[name, does.includes("relay") ? relayPort : port]];
    });
    expect(servers).toEqual(expected);
  });
});

describe("the image", () => {
  it("sets only variables that Exergy reads, exposes the default ports, and is not root", () => {
    const variables = [...dockerfile.matchAll(/^(?:ENV)?\s+([A-Z_]+)=(\S+)/gm)].map(([, name, value]) => [
      name!,
      value!,
    ]);
    const environment = Object.fromEntries(variables.filter(([name]) => name !== "NODE_ENV"));
    expect(Object.keys(environment).filter((name) => !known.has(name))).toEqual([]);
    const { port, relayPort } = readConfig(environment);
    expect(dockerfile).toContain(`EXPOSE ${port} ${relayPort}`);
    expect(dockerfile).toMatch(/^USER 1000:1000$/m);
    expect(dockerfile).toMatch(/^STOPSIGNAL SIGTERM$/m);
  });

  it("copies only what the build's context has, and runs only scripts that package.json has", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const run = [...dockerfile.matchAll(/npm run(?: -s)? ([\w:]+)/g)].map(([, name]) => name!);
    expect(run.filter((name) => scripts[name] === undefined)).toEqual([]);
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files]) => files!.split(" "));
    expect(copied.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it("leaves out of its context whatever may hold a secret", () => {
    const ignored = read(".dockerignore").split("\n");
    expect(ignored).toEqual(expect.arrayContaining([".git", ".env", ".env.*", ".exergy", "**/*.pem", "**/*.key"]));
  });
});

describe("nginx", () => {
  const { apiBodyLimitBytes, relay, upstream } = readConfig({});
  const megabytes = [...nginx.matchAll(/client_max_body_size (\d+)m;/g)].map(([, size]) => Number(size) * 1_048_576);
  const timeouts = (name: string) => [...nginx.matchAll(new RegExp(`${name} (\\d+)s;`, "g"))].map(([, s]) => Number(s));

  it("lets through what the servers themselves would refuse, so that the answer is theirs", () => {
    expect(megabytes).toHaveLength(2);
    expect(megabytes[0]).toBeGreaterThan(apiBodyLimitBytes);
    expect(megabytes[1]).toBeGreaterThan(relay.bodyLimitBytes);
  });

  it("waits longer than the relay does, so that it is the relay that ends a request", () => {
    expect(Math.max(...timeouts("proxy_read_timeout")) * 1_000).toBeGreaterThan(upstream.totalTimeoutMs);
    expect(timeouts("worker_shutdown_timeout")[0]! * 1_000).toBeGreaterThan(upstream.totalTimeoutMs);
  });

  it("buffers no answer, and sends nothing twice that may have been done", () => {
    expect(nginx).toContain("proxy_buffering off;");
    expect(nginx).not.toContain("non_idempotent");
  });
});

describe("the Helm chart", () => {
  it("has a Deployment and a disruption budget for each role, Services for those that are called", () => {
    const manifests = chart();
    const names = (kind: string) => ofKind(manifests, kind).map(({ metadata }) => metadata.name);
    for (const kind of ["Deployment", "PodDisruptionBudget", "NetworkPolicy"]) {
      expect(names(kind)).toEqual(roles.map((role) => `exergy-${role}`));
    }
    expect(names("Service")).toEqual(["exergy-api", "exergy-relay"]);
    expect(names("Job")).toEqual(["exergy-migration"]);
    expect(names("Ingress")).toEqual([]);
  });

  it("gives pods only variables that Exergy reads, with values that it accepts", () => {
    for (const manifest of [...ofKind(chart(), "Deployment"), ...ofKind(chart(), "Job")]) {
      const variables = manifest.spec.template.spec.containers[0].env as { name: string; value?: string }[];
      expect(variables.map(({ name }) => name).filter((name) => !known.has(name))).toEqual([]);
      const plain = variables.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]));
      expect(() => readConfig(Object.fromEntries(plain))).not.toThrow();
      const secret = variables.filter(({ value }) => value === undefined).map(({ name }) => name);
      expect(secret).toEqual(["DATABASE_URL", "DATABASE_REPLICA_URLS", "REDIS_URL"]);
    }
  });

  it("probes the port that the process listens on, and sends Services there", () => {
    const manifests = chart(({ config }) => Object.assign(config, { PORT: "5000", RELAY_PORT: "5001" }));
    for (const role of roles) {
      const [container] = named(manifests, "Deployment", `exergy-${role}`).spec.template.spec.containers;
      const ports = Object.fromEntries(
        container.ports.map((port: { name: string; containerPort: number }) => [port.name, port.containerPort]),
      );
      expect(ports).toEqual(role === "relay" ? { http: 5000, relay: 5001 } : { http: 5000 });
      for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"]) {
        expect(container[probe].httpGet.port).toBe("http");
      }
    }
    const service = (role: string) => named(manifests, "Service", `exergy-${role}`).spec;
    expect(service("api").ports).toEqual([{ name: "http", port: 5000, targetPort: "http" }]);
    expect(service("relay").ports).toEqual([{ name: "http", port: 5001, targetPort: "relay" }]);
    for (const role of ["api", "relay"]) {
      const labels = named(manifests, "Deployment", `exergy-${role}`).spec.template.metadata.labels;
      expect(labels).toMatchObject(service(role).selector);
    }
  });

  it("kills a pod only after its drain", () => {
    const manifests = chart(({ config }) => Object.assign(config, { DRAIN_GRACE_MS: "45000" }));
    for (const { spec } of ofKind(manifests, "Deployment")) {
      const pod = spec.template.spec;
      const preStopSeconds = Number(pod.containers[0].lifecycle.preStop.exec.command[1]);
      expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(
        preStopSeconds * 1_000 + 45_000 + afterDrainMs(),
      );
    }
  });

  it("lets no container be root, write its root or gain rights", () => {
    for (const { spec } of [...ofKind(chart(), "Deployment"), ...ofKind(chart(), "Job")]) {
      const pod = spec.template.spec;
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
      });
      expect(pod.containers[0].securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
    }
  });

  it("scales by metrics that the code has, and the worker not at all", () => {
    const scalers = ofKind(chart(), "HorizontalPodAutoscaler");
    expect(scalers.map(({ spec }) => spec.scaleTargetRef.name)).toEqual(["exergy-api", "exergy-relay"]);
    const metrics = scalers.flatMap(({ spec }) =>
      spec.metrics.flatMap((metric: { pods?: { metric: { name: string } } }) => metric.pods?.metric.name ?? []),
    );
    expect(metrics).toEqual(["exergy_api_subscriptions", "exergy_relay_in_flight"]);
    for (const name of metrics) expect(sourcesOf("src").some((text) => text.includes(`"${name}"`))).toBe(true);
    for (const { spec } of ofKind(chart(), "Deployment")) {
      const scaled = scalers.some(
        (scaler) => spec.template.spec.containers[0].name === scaler.spec.scaleTargetRef.name.slice(7),
      );
      // A number of replicas beside an autoscaler would fight it at every upgrade.
      expect(spec.replicas).toBe(scaled ? undefined : 2);
    }
  });

  it("migrates before the new version starts", () => {
    const [job] = ofKind(chart(), "Job");
    expect(job!.metadata.annotations).toMatchObject({ "helm.sh/hook": "pre-install,pre-upgrade" });
    expect(job!.spec.template.spec.containers[0].command).toContain("dist/bin/migrate.js");
  });

  it("lets in by the ingress what outsiders use, and not the metrics", () => {
    const [ingress] = ofKind(
      chart(({ ingress: settings }) => Object.assign(settings, { enabled: true, host: "api.example.com" })),
      "Ingress",
    );
    const paths = ingress!.spec.rules[0].http.paths.map(
      (rule: { path: string; backend: { service: { name: string } } }) => [rule.path, rule.backend.service.name],
    );
    expect(paths).toEqual([
      ["/v1", "exergy-relay"],
      ["/graphql", "exergy-api"],
      ["/graphiql", "exergy-api"],
      ["/session", "exergy-api"],
      ["/.well-known", "exergy-api"],
      ["/healthz", "exergy-api"],
    ]);
  });

  it("keeps pods from neighbours and from the cloud's metadata", () => {
    for (const { spec } of ofKind(chart(), "NetworkPolicy")) {
      expect(spec.policyTypes).toEqual(["Ingress", "Egress"]);
      const internet = spec.egress.flatMap((rule: { to: { ipBlock?: { cidr: string; except?: string[] } }[] }) =>
        rule.to.flatMap(({ ipBlock }) => (ipBlock?.cidr === "0.0.0.0/0" ? [ipBlock.except] : [])),
      );
      expect(internet).toEqual([expect.arrayContaining(["169.254.0.0/16", "10.0.0.0/8"])]);
    }
    expect(
      ofKind(
        chart(({ networkPolicy }) => Object.assign(networkPolicy, { enabled: false })),
        "NetworkPolicy",
      ),
    ).toEqual([]);
  });

  it("has in its schema every setting of values.yaml that it checks, and refuses secrets among them", () => {
    const schema = JSON.parse(read("deploy/helm/exergy/values.schema.json")) as {
      required: string[];
      properties: Record<string, { properties?: Record<string, unknown> }>;
    };
    const values = parse(read("deploy/helm/exergy/values.yaml")) as Record<string, unknown>;
    expect(Object.keys(schema.properties).filter((name) => !(name in values))).toEqual([]);
    expect(schema.required.filter((name) => !(name in values))).toEqual([]);
    const config = schema.properties.config!.properties!;
    expect(["DATABASE_URL", "DATABASE_REPLICA_URLS", "REDIS_URL"].map((name) => config[name])).toEqual([
      false,
      false,
      false,
    ]);
  });
});

const seconds = (text: string | undefined) => Number(/^(\d+)s$/.exec(text ?? "")?.[1] ?? Number.NaN);

/** What bin/start.ts adds to the grace. */
function afterDrainMs(): number {
  return Number(/AFTER_DRAIN_MS = ([\d_]+)/.exec(read("bin/start.ts"))![1]!.replaceAll("_", ""));
}

function sourcesOf(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => read(folder, name));
}
