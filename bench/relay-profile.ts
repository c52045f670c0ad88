/** Where the relay's time goes under 64 clients: the budget per stage, and the functions that take most. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { busyMicros, type CpuProfile, type Stage, selfTimes, stageTimes } from "./cpu-profile";
import { closedLoop } from "./load";
import { bodyOf, print, type Row } from "./relay-row";

const HOTTEST = 12;
const REQUESTS = 15_000;

/** In the order in which they are looked for, from the innermost frame out. */
const stages: readonly Stage[] = [
  ["relay token", /^src\/upstreams\/relay-token.*#(sign|base64url)$/],
  ["body hash", /#bodySha256$/],
  ["settlement: PostgreSQL's client", /^node_modules\/pg/],
  ["settlement", /^src\/(metering\/(metering|settlement-queue|usage)|platform\/group-commit|pricing)/],
  ["hold", /^src\/metering/],
  ["route and decision", /^src\/routing/],
  ["read and rewrite the request", /^src\/relay\/.*(request|json-members)/],
  ["authenticate", /^src\/(accounts|relay\/authenticate)/],
  ["metrics", /^node_modules\/prom-client/],
  ["to the provider: undici", /^node_modules\/undici/],
  ["to the provider: TLS", /^node:_tls|TLSWrap/],
  ["relay: the exchange", /^src\//],
  ["from the client: HTTP", /^node:_?http|HTTPParser|^node:internal\/http/],
  ["timers", /^node:internal\/timers|^node:timers/],
  [
    "sockets and streams",
    /^node:(net|internal\/streams|internal\/stream_base|stream)|^(writev|writeBuffer|writeUtf8String|writeLatin1String)$/,
  ],
];

export const profile: Row = {
  peers: [],
  async run({ contestants, relay, directory }, { quick }) {
    const { target } = contestants.at(-1)!;
    const load = (durationMs: number) =>
      closedLoop(target, bodyOf("whole"), { clients: 64, durationMs, requestsMin: REQUESTS });
    await load(3_000);
    const path = join(directory, "relay.cpuprofile");
    await relay.ask({ do: "profile" });
    const { requests } = await load(quick ? 3_000 : 10_000);
    await relay.ask({ do: "profiled", path });
    const profile = JSON.parse(readFileSync(path, "utf8")) as CpuProfile;
    const busy = busyMicros(profile);
    const rows = (shares: ReturnType<typeof selfTimes>) =>
      shares.map(({ name, micros }) => [
        name,
        (micros / requests).toFixed(1),
        `${((micros / busy) * 100).toFixed(1)} %`,
      ]);
    const byStage = stageTimes(profile, stages, "Node's own and the system's, outside any stage");
    print(`Budget per stage of ${requests} requests, by a profile under 64 clients`, {
      head: ["stage", "µs/req", "share"],
      rows: rows(byStage),
      figures: {
        row: "profile",
        microsPerRequest: Object.fromEntries(
          byStage.map(({ name, micros }) => [name, Number((micros / requests).toFixed(1))]),
        ),
      },
    });
    print("Time of its own by function", {
      head: ["function", "µs/req", "share"],
      rows: rows(selfTimes(profile).slice(0, HOTTEST)),
      figures: { row: "hottest" },
    });
  },
};
