/** The last words of the demo: addresses, keys, and something to try with them. */
import { SHARED_MODEL } from "./cast";
import type { DemoFile } from "./demo-file";
import type { World } from "./onboarding";

export function whereToLook(file: DemoFile, path: string, world: World): string {
  const keys = [
    ["operator", file.keys.operator],
    ...world.providers.map(({ name, key }) => [name, key]),
    ...world.startups.map(({ name, key }) => [name, key]),
    [world.capitalPartner.name, world.capitalPartner.key],
  ] as const;
  const width = Math.max(...keys.map(([name]) => name?.length ?? 0));
  const [startup] = file.keys.startups;
  return [
    `GraphQL        ${file.graphql}`,
    `Subscriptions  ${file.subscriptions}`,
    `Relay          ${file.relay}`,
    "",
    "Keys",
    ...keys.map(([name, key]) => `  ${name?.padEnd(width)}  ${key}`),
    `  all of this for scripts: ${path}`,
    "",
    "Try",
    `  KEY=${startup}`,
    `  curl -s ${file.graphql} -H "authorization: Bearer $KEY" -H 'content-type: application/json' \\`,
    `    -d '{"query":"{ creditBalance { available { amount } } usage(first: 3) { nodes { model charge { amount } } } }"}'`,
    `  curl -sN ${file.relay}/chat/completions -H "authorization: Bearer $KEY" -H 'content-type: application/json' \\`,
    `    -d '{"model":"${SHARED_MODEL}","stream":true,"messages":[{"role":"user","content":"Hello"}]}'`,
    "",
  ].join("\n");
}
