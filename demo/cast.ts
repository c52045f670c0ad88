/** Who takes part in the demo: invented organisations, their hardware and prices. Change them freely. */
import type { ProviderModel } from "./provider-process";

export interface DemoOffering {
  readonly model: string;
  readonly architecture: string;
  readonly contextLength: number;
  readonly maxOutputTokens: number;
  readonly prefillTokensPerGpuSecond: number;
  readonly decodeTokensPerGpuSecond: number;
}

export interface DemoProvider {
  readonly name: string;
  readonly accelerator: "H100" | "H200" | "A100";
  readonly region: string;
  readonly zone: string;
  readonly gpuCount: number;
  readonly slots: number;
  readonly slaTier: "STANDARD" | "PREMIUM" | "ENTERPRISE";
  /** How soon it answers; simulated, with room to the tier's limit for a busy machine. */
  readonly timeToFirstTokenMs: number;
  readonly offerings: readonly DemoOffering[];
  /** Where it is paid; the numbers are the examples of the standard. */
  readonly account: { readonly iban: string; readonly bic: string; readonly country: string };
}

/** The model that every provider offers, so that one of them can fail. */
export const SHARED_MODEL = "llama-3.1-8b-instruct";

const shapes = { architecture: "decoder-only", maxOutputTokens: 4_096 };
const small = { ...shapes, model: SHARED_MODEL, contextLength: 131_072 };
const medium = { ...shapes, model: "mistral-small-24b-instruct", contextLength: 32_768 };
const large = { ...shapes, model: "qwen2.5-72b-instruct", contextLength: 32_768 };
/** So slow per GPU-second that a few requests come to cents: a payout below one would be carried over. All offer it. */
export const PAYING_MODEL = "llama-3.1-405b-instruct";
const huge = { ...shapes, model: PAYING_MODEL, contextLength: 32_768 };

const rates = (prefillTokensPerGpuSecond: number, decodeTokensPerGpuSecond: number) => ({
  prefillTokensPerGpuSecond,
  decodeTokensPerGpuSecond,
});

/** The last one is the one that will fail. */
export const providers: readonly DemoProvider[] = [
  {
    name: "Fjordlight GPU",
    accelerator: "H100",
    region: "eu-north",
    zone: "eu-north-1a",
    gpuCount: 64,
    slots: 32,
    slaTier: "ENTERPRISE",
    account: { iban: "DE89370400440532013000", bic: "COBADEFFXXX", country: "DE" },
    timeToFirstTokenMs: 25,
    offerings: [
      { ...small, ...rates(9_000, 1_450) },
      { ...medium, ...rates(4_200, 620) },
      { ...huge, ...rates(210, 4) },
    ],
  },
  {
    name: "Saltmarsh",
    accelerator: "H200",
    region: "us-east",
    zone: "us-east-2b",
    gpuCount: 32,
    slots: 32,
    slaTier: "PREMIUM",
    account: { iban: "GB82WEST12345698765432", bic: "WESTGB2LXXX", country: "GB" },
    timeToFirstTokenMs: 60,
    offerings: [
      { ...small, ...rates(11_000, 1_900) },
      { ...medium, ...rates(5_100, 810) },
      { ...large, ...rates(1_700, 260) },
      { ...huge, ...rates(250, 5) },
    ],
  },
  {
    name: "Copperleaf",
    accelerator: "A100",
    region: "ap-south",
    zone: "ap-south-1c",
    gpuCount: 48,
    slots: 64,
    slaTier: "STANDARD",
    account: { iban: "FR1420041010050500013M02606", bic: "PSSTFRPPXXX", country: "FR" },
    timeToFirstTokenMs: 90,
    offerings: [
      { ...small, ...rates(4_400, 690) },
      { ...huge, ...rates(120, 2) },
    ],
  },
];

export const startups = [
  { name: "Tidepool Labs", segment: "SEED" },
  { name: "Quillwork AI", segment: "SERIES_A" },
] as const;
export const capitalPartner = "Harbourstone Credit";

/** Dollars in, credits out at the multiplier. */
export const facility = { name: "Seed compute 1", limit: "250000", multiplier: "1.35", drawdown: "5000" } as const;

/** Dollars per GPU-hour as three invented sources saw them. */
export const spotPrices: readonly { accelerator: string; region: string; prices: readonly string[] }[] = [
  { accelerator: "H100", region: "eu-north", prices: ["2.39", "2.45", "2.52"] },
  { accelerator: "H200", region: "us-east", prices: ["3.29", "3.35", "3.49"] },
  { accelerator: "A100", region: "ap-south", prices: ["1.25", "1.29", "1.36"] },
];

export const models: readonly string[] = [...new Set(providers.flatMap((p) => p.offerings.map(({ model }) => model)))];

/** Paced like a GPU that serves one request; what the marketplace bills is the published rate per GPU-second. */
const DECODE_TOKENS_PER_SECOND = 180;

export const simulatedModels = (provider: DemoProvider): ProviderModel[] =>
  provider.offerings.map(({ model, contextLength }) => ({
    id: model,
    contextLength,
    decodeTokensPerSecond: DECODE_TOKENS_PER_SECOND,
    timeToFirstTokenMs: provider.timeToFirstTokenMs,
  }));

export const prompts: readonly string[] = [
  "Explain in two sentences why idle GPUs are wasted energy.",
  "Write a release note for a faster search index.",
  "Summarise: the queue was empty, then it was not, and nobody noticed for an hour.",
  "Give three names for a small, friendly robot that waters plants.",
  "What should a status page say while a database fails over?",
  "Turn this into a haiku: requests arrive, tokens leave, the ledger balances.",
  "List the risks of caching answers of a language model.",
  "Draft a polite reply to a customer whose invoice is right.",
];
