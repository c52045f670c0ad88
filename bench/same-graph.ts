/** What every entrant stands on: our rooms on the same rows, our schema, our loaders; the peer brings the server. */
import { startExergy } from "../bin/exergy";
import { resolverClasses } from "../resolvers";
import type { Viewer } from "../src/accounts/viewer";
import { buildApiSchema } from "../src/api/build-schema";
import type { Context } from "../src/api/context";
import { createLoaders } from "../src/api/loaders";
import { readConfig } from "../src/platform/config";
import { createLog } from "../src/platform/log";
import { installShutdown } from "../src/platform/shutdown";
import type { Services } from "../src/services";
import { subscriptionClasses } from "../subscriptions";

export async function openExergy() {
  const config = readConfig(process.env);
  const log = createLog({ level: config.logLevel, write: (line) => process.stderr.write(line) });
  return startExergy(config, log, installShutdown({ log }));
}

export async function openSameGraph(key: string) {
  const { services } = await openExergy();
  const viewer = await services.accounts.authenticate(key);
  if (viewer === null) throw new Error("the bench's key is not accepted");
  const schema = buildApiSchema([...resolverClasses, ...subscriptionClasses]);
  return { schema, services, contextOf: () => contextOf(services, viewer) };
}

/** A peer knows its viewer beforehand: finding and checking it is ours to pay. */
function contextOf(services: Services, viewer: Viewer): Context {
  return {
    viewer,
    loaders: createLoaders(services),
    services,
    requestId: "bench",
    signal: new AbortController().signal,
  };
}
