/** Writes what scripts and tests need to find the running demo: addresses, keys, models. */
import { rename, writeFile } from "node:fs/promises";
import { models } from "./cast";
import type { World } from "./onboarding";

export interface DemoFile {
  readonly graphql: string;
  readonly subscriptions: string;
  /** Null: there is none yet. */
  readonly dashboard: string | null;
  /** Base URL for an OpenAI client. */
  readonly relay: string;
  readonly keys: {
    readonly operator: string;
    readonly providers: readonly string[];
    readonly startups: readonly string[];
    readonly capitalPartners: readonly string[];
  };
  readonly models: readonly string[];
}

export function demoFileOf({ marketplace, providers, startups, capitalPartner }: World): DemoFile {
  return {
    graphql: `${marketplace.apiUrl}/graphql`,
    subscriptions: `${marketplace.apiUrl.replace(/^http/, "ws")}/graphql`,
    dashboard: null,
    relay: `${marketplace.relayUrl}/v1`,
    keys: {
      operator: marketplace.operatorKey,
      providers: providers.map(({ key }) => key),
      startups: startups.map(({ key }) => key),
      capitalPartners: [capitalPartner.key],
    },
    models,
  };
}

/** Whole or not at all, and for its owner only: it holds keys. */
export async function writeDemoFile(path: string, content: DemoFile): Promise<void> {
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, path);
}
