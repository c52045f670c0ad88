/** A relay world with a training provider whose work is done when a test says so, and a worker that looks when it is told to. */
import type OpenAI from "openai";
import { toFile } from "openai";
import type { TrainingFloor } from "../../examples/reference-provider/training/floor";
import { chargeNanoCredit } from "../../src/pricing/settlement";
import { gpuNanosFor, type TokenUsage } from "../../src/pricing/token-price";
import { faultsInTheBooks } from "../ledger/books";
import {
  openRelayWorld,
  type RelayWorld,
  type WorldOptions,
  type WorldProvider,
  type WorldStartup,
} from "../support/relay-world";

export const MODEL = "acme/train-8b";

/** What `world-provider` publishes. */
const throughput = { prefillTokensPerGpuSecond: 20_000, decodeTokensPerGpuSecond: 2_000 };
const FIXING = 2_000_000_000n;
const card = { redemptionFactorPpm: 1_350_000n };

/** So many GPUs that the wall clock of a quick test is no bound. */
export const manyGpus = { kind: "TRAINING", model: MODEL, gpuCount: 4_096, listedGpus: 4_096, slots: 8 } as const;

export interface WorkloadWorld {
  readonly world: RelayWorld;
  readonly provider: WorldProvider;
  readonly floor: TrainingFloor;
  startup(creditNanoCredit?: bigint): Promise<WorldStartup & { client: OpenAI }>;
  /** Does so many units of work at the provider, and lets the worker look at every job that is open. */
  work(units: number): Promise<void>;
  look(): Promise<void>;
}

export async function openWorkloadWorld(options: WorldOptions = {}): Promise<WorkloadWorld> {
  const world = await openRelayWorld({ providers: [manyGpus], ...options });
  const provider = world.providers[0]!;
  const floor = provider.reference.training!;
  const look = async () => {
    await world.rows("UPDATE workload_job SET next_poll_at = created_at WHERE ended_at IS NULL");
    await world.services.workloads.pollToEnd();
  };
  return {
    world,
    provider,
    floor,
    look,
    async startup(creditNanoCredit) {
      const startup = await world.addStartup(creditNanoCredit);
      // Its forms are the global ones, which only the global fetch takes.
      return { ...startup, client: world.client(startup, { fetch: (url, init) => fetch(url, init) }) };
    },
    async work(units) {
      floor.work(units);
      await look();
    },
  };
}

export const line = (customId: string, content: string, body: object = {}): string =>
  JSON.stringify({
    custom_id: customId,
    method: "POST",
    url: "/v1/chat/completions",
    body: { model: MODEL, messages: [{ role: "user", content }], max_tokens: 100, ...body },
  });

export const upload = async (client: OpenAI, purpose: "batch" | "fine-tune", lines: readonly string[]) =>
  client.files.create({ purpose, file: await toFile(Buffer.from(lines.join("\n")), "input.jsonl") });

export const example = (content: string): string =>
  JSON.stringify({
    messages: [
      { role: "user", content },
      { role: "assistant", content: "yes" },
    ],
  });

/** What these tokens cost. */
export const priceOf = (usage: TokenUsage): bigint => chargeNanoCredit(gpuNanosFor(usage, throughput), FIXING, card);

export interface JobRow {
  readonly state: string;
  readonly failure: string | null;
  readonly held_nano_credit: string;
  readonly captured_nano_credit: string;
  readonly stage_count: number;
  readonly usage_bounded: boolean;
  readonly uncaptured: boolean;
  readonly prompt_tokens: string;
  readonly completion_tokens: string;
}

export async function jobOf({ world }: WorkloadWorld, startup: { id: string }): Promise<JobRow> {
  const [row] = await world.rows<JobRow>("SELECT * FROM workload_job WHERE startup_id = $1 ORDER BY id DESC LIMIT 1", [
    startup.id,
  ]);
  return row!;
}

/** Of one startup, stage by stage. */
export const chargesOf = async ({ world }: WorkloadWorld, startup: { id: string }) =>
  world.rows<{
    charge_nano_credit: string;
    outcome: string;
    workload: string;
    prompt_tokens: number;
    completion_tokens: number;
    usage_bounded: boolean;
  }>("SELECT * FROM usage_record WHERE startup_id = $1 ORDER BY completed_at, id", [startup.id]);

/** For afterEach: the books are right, and no job's rule is broken. */
export async function expectSound({ world }: WorkloadWorld): Promise<void> {
  expect(await faultsInTheBooks(world.db)).toEqual([]);
  await world.expectBooksBalance();
  expect((await world.services.reconciliation.run()).faults).toEqual([]);
}
