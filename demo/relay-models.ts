/** Waits until the relay lists what was put on sale. */
import { until } from "./wait";

interface ListedModel {
  readonly id: string;
  readonly accelerators: readonly string[];
}

const WAIT_MS = 10_000;

/** `wanted`: accelerators by model. Errors: what is still missing after ten seconds. */
export async function untilRoutable(
  relayUrl: string,
  key: string,
  wanted: ReadonlyMap<string, readonly string[]>,
): Promise<void> {
  let missing: string[] = [];
  const complete = await until(async () => {
    const listed = await listModels(relayUrl, key);
    missing = [...wanted].flatMap(([model, accelerators]) =>
      accelerators
        .filter((accelerator) => !listed.get(model)?.includes(accelerator))
        .map((accelerator) => `${model} on ${accelerator}`),
    );
    return missing.length === 0;
  }, WAIT_MS);
  if (!complete) throw new Error(`Not routable after ${WAIT_MS / 1000} s: ${missing.join(", ")}.`);
}

async function listModels(relayUrl: string, key: string): Promise<Map<string, readonly string[]>> {
  const response = await fetch(`${relayUrl}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  if (!response.ok) throw new Error(`GET /v1/models answered ${response.status}: ${await response.text()}`);
  const { data } = (await response.json()) as { data: ListedModel[] };
  return new Map(data.map(({ id, accelerators }) => [id, accelerators]));
}
