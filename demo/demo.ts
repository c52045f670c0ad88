/** The demo from the first certificate to the last figure: readable as the story that it tells. */
import { CreditBalanceChangesDocument, SlaBreachChangesDocument } from "../codegen/generated/graphql";
import { goOn } from "./afterwards";
import { BreachWatch } from "./breach-watch";
import { models, PAYING_MODEL, prompts, providers as providerScripts, SHARED_MODEL } from "./cast";
import { type Check, checksOf } from "./checks";
import { demoFileOf, writeDemoFile } from "./demo-file";
import { nanoOf } from "./exact";
import { type Figures, readFigures } from "./figures";
import { GraphqlClient } from "./graphql-client";
import { GraphqlStreams } from "./graphql-stream";
import type { DemoHost, Marketplace } from "./host";
import { billMonth, type Month } from "./month";
import { createParticipants, fund, list, recordSpotPrices, retireEarlierEndpoints, type World } from "./onboarding";
import type { DemoOptions } from "./options";
import { killUnderLoad } from "./outage";
import { runSteps, type Step } from "./progress";
import { untilRoutable } from "./relay-models";
import { checksText, figuresText, monthText, SIMULATED } from "./report";
import { type CallResult, plan, Traffic } from "./traffic";
import { until } from "./wait";
import { whereToLook } from "./where-to-look";

const FIRST_WAVE = 40;
/** Of these about a third wait at the provider that dies: enough for its minute to be judged, within the relay's reserve of 20 retries. */
const DURING_OUTAGE = 36;
const AFTER_OUTAGE = 6;
const CONCURRENCY = 6;
const MINUTE_MS = 60_000;
/** In real time an outage whose minute has more good requests than bad ones is found in the next minute. */
const BREACH_MS_MAX = 90_000;
const STREAM_MS_MAX = 2_000;

/** Every eighth call of the first wave is for the model that all offer: too many good answers of the provider that dies would hide its minute. */
const mixed = (index: number): string => {
  if (index % 8 === 0) return SHARED_MODEL;
  return index % 2 === 1 ? PAYING_MODEL : models[1 + (index % (models.length - 1))]!;
};

export class Demo {
  private marketplace!: Marketplace;
  private world!: World;
  private facilityId = "";
  private traffic!: Traffic;
  private readonly watch = new BreachWatch();
  private readonly calls: CallResult[] = [];
  private streamedSpentNano: bigint | null = null;
  private breachHeard = false;
  private killedAtMs = 0;
  private figures!: Figures;
  /** Null where the time cannot be moved. */
  private month: Month | null = null;

  constructor(
    private readonly host: DemoHost,
    private readonly options: DemoOptions,
    private readonly demoFile: string,
  ) {}

  /** Returns what does not add up; empty when all does. */
  async run(): Promise<readonly Check[]> {
    await runSteps(this.steps(), () => this.host.isStopping());
    const checks = checksOf(this.figures, {
      calls: this.calls,
      streamedSpentNano: this.streamedSpentNano,
      breachHeard: this.breachHeard,
      month: this.month,
    });
    console.log(figuresText(this.figures, this.world));
    if (this.month !== null) console.log(monthText(this.month));
    console.log(checksText(checks));
    console.log(`${SIMULATED}\n`);
    const file = demoFileOf(this.world);
    await writeDemoFile(this.demoFile, file);
    const wrong = checks.filter(({ ok }) => !ok);
    if (this.options.once || wrong.length > 0) return wrong;
    console.log(whereToLook(file, this.demoFile, this.world));
    this.goOn();
    return wrong;
  }

  private steps(): Step[] {
    const victim = providerScripts.at(-1)!.name;
    return [
      { title: "Start database, API, relay and worker in this process", run: () => this.open() },
      {
        title: `Start ${providerScripts.length} simulated providers with mutual TLS, onboard everybody`,
        run: () => this.bringOnBoard(),
      },
      { title: "Fund two startups through a capital partner", run: () => this.fund() },
      {
        title: `Send ${FIRST_WAVE} requests with the openai client, half of them streamed`,
        run: (tell) => this.firstWave(tell),
      },
      { title: `Kill ${victim} with requests waiting at it`, run: () => this.outage() },
      { title: "Wait for its SLA breach on the subscription", run: (tell) => this.breach(tell) },
      { title: "Read every figure back through GraphQL", run: () => this.readBack() },
      { title: "Bill the month and pay the providers, on a clock that is moved", run: (tell) => this.bill(tell) },
    ];
  }

  private async open(): Promise<string> {
    this.marketplace = await this.host.open();
    return this.marketplace.database;
  }

  private async bringOnBoard(): Promise<string> {
    const operator = new GraphqlClient(`${this.marketplace.apiUrl}/graphql`, this.marketplace.operatorKey);
    const retired = await retireEarlierEndpoints(operator);
    this.world = await createParticipants(this.marketplace, operator, (process) =>
      this.host.onStop("a simulated provider", () => process.stop()),
    );
    await recordSpotPrices(this.world);
    await Promise.all(this.world.providers.map((provider) => list(this.world, provider)));
    const accelerators = new Map(models.map((model) => [model, offeredOn(model)]));
    await untilRoutable(this.marketplace.relayUrl, this.world.startups[0]!.key, accelerators);
    // Their providers are gone: left live, they would be tried.
    const earlier = retired === 0 ? "" : `, retired ${retired} endpoints of earlier demos`;
    return `${models.length} models routable${earlier}`;
  }

  private async fund(): Promise<string> {
    this.facilityId = await fund(this.world);
    this.follow();
    this.traffic = new Traffic(
      `${this.marketplace.relayUrl}/v1`,
      this.world.startups.map(({ key }) => key),
    );
    return this.world.startups.map(({ name }) => name).join(" and ");
  }

  /** As the startup that watches its credit, and as the provider that will have an outage. */
  private follow(): void {
    const url = `${this.marketplace.apiUrl.replace(/^http/, "ws")}/graphql`;
    const streams = [this.world.startups[0]!, this.victim].map(({ key }) => new GraphqlStreams(url, key, complain));
    this.host.onStop("subscriptions", () => {
      for (const stream of streams) stream.close();
    });
    streams[0]!.follow(CreditBalanceChangesDocument, {}, ({ creditBalance }) => {
      this.streamedSpentNano = nanoOf(creditBalance.spent.amount);
    });
    streams[1]!.follow(SlaBreachChangesDocument, {}, ({ slaBreaches }) => this.watch.hear(slaBreaches));
  }

  private async firstWave(tell: (line: string) => void): Promise<string> {
    const planned = plan(FIRST_WAVE, { startups: this.world.startups.length, prompts, pickModel: mixed });
    const results = await this.traffic.sendAll(planned, CONCURRENCY);
    this.calls.push(...results);
    for (const { problem } of results) if (problem !== null) tell(problem);
    return tally(results);
  }

  private async outage(): Promise<string> {
    await this.beginMinute();
    const shared = (count: number) =>
      plan(count, { startups: this.world.startups.length, prompts, pickModel: () => SHARED_MODEL });
    const { waiting, killedAtMs, results } = await killUnderLoad(this.victim.process, this.traffic, {
      during: shared(DURING_OUTAGE),
      after: shared(AFTER_OUTAGE),
    });
    this.calls.push(...results);
    this.killedAtMs = killedAtMs;
    return `SIGKILL with ${waiting} requests waiting; ${tally(results)}`;
  }

  /** Good answers of the minute would hide the outage until the next one: where the time can be moved, nobody waits for it. */
  private async beginMinute(): Promise<void> {
    const { time } = this.world;
    if (time.movable) await time.moveTo(Math.ceil(time.nowMs() / MINUTE_MS) * MINUTE_MS);
  }

  private async breach(tell: (line: string) => void): Promise<string> {
    const waited = setTimeout(
      () => tell("most of its minute was good, so the next minute decides: up to a minute more"),
      6_000,
    );
    const event = await this.watch.until(
      ({ change, node }) => change === "OPENED" && node.kind === "UPTIME",
      BREACH_MS_MAX,
    );
    clearTimeout(waited);
    this.breachHeard = event !== null;
    if (event === null) return `none within ${BREACH_MS_MAX / 1000} s`;
    const { evidence, slaTier } = event.node;
    const seconds = ((Date.now() - this.killedAtMs) / 1000).toFixed(1);
    return `${slaTier.code} UPTIME, ${seconds} s after the kill (${evidence.failed}/${evidence.requests} requests, ${evidence.probesFailed}/${evidence.probes} probes failed)`;
  }

  private async readBack(): Promise<string> {
    this.figures = await readFigures(this.world, this.facilityId, this.calls.length);
    // The stream sends at most four balances a second: the last one may still be on its way.
    await until(() => this.streamedSpentNano === this.figures.startups[0]?.balance.spentNano, STREAM_MS_MAX);
    return `${this.world.startups.length} startups, ${this.world.providers.length} providers, 1 facility`;
  }

  private async bill(tell: (line: string) => void): Promise<string> {
    if (!this.world.time.movable) return "left out: the time of this database is the real one";
    this.month = await billMonth(this.world, this.world.time, tell);
    const paid = this.month.providers.filter(({ payout }) => payout === "SETTLED").length;
    return `${this.month.period}, ${paid} of ${this.month.providers.length} providers paid by the simulated bank`;
  }

  private goOn(): void {
    const { quietTraffic } = this.options;
    console.log(quietTraffic ? "Everything stays up, without background traffic." : "Light traffic goes on.");
    console.log(`${this.victim.name} will be restarted in a moment. Ctrl-C stops everything.\n`);
    const tell = (line: string) => console.log(`${new Date().toISOString().slice(11, 19)}  ${line}`);
    const startups = this.world.startups.length;
    const afterwards = goOn({
      traffic: quietTraffic ? null : this.traffic,
      startups,
      victim: this.victim,
      watch: this.watch,
      tell,
    });
    this.host.onStop("background traffic", () => afterwards.stop());
  }

  private get victim() {
    return this.world.providers.at(-1)!;
  }
}

const offeredOn = (model: string): string[] =>
  providerScripts
    .filter(({ offerings }) => offerings.some((offering) => offering.model === model))
    .map(({ accelerator }) => accelerator);

function tally(results: readonly CallResult[]): string {
  const ok = results.filter(({ outcome }) => outcome === "OK").length;
  return `${ok} of ${results.length} answered`;
}

function complain(error: unknown): void {
  console.error("A subscription ended:", error);
}
