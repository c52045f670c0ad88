/** Makes the secrets that all processes of one system share, where they are missing: for whoever mounts them read-only afterwards. */
import { systemClock } from "../src/platform/clock";
import { openSecrets } from "../src/platform/secrets";
import { openRelayIdentity } from "../src/upstreams/identity";
import { configOrExit } from "./environment";
import { startFailure } from "./start-failure";
import { openAnswerKey, openPepper, openSealingKey } from "./store";

async function main(): Promise<void> {
  const config = configOrExit();
  try {
    await openPepper(config);
    await openSealingKey(config);
    await openAnswerKey(config);
    await openRelayIdentity(await openSecrets(config.secretsDirectory), systemClock.nowMs());
    console.log(`The secrets are in ${config.secretsDirectory}. Back them up: they cannot be made again.`);
  } catch (error) {
    console.error(startFailure(error, config.databaseUrl));
    process.exitCode = 1;
  }
}

void main();
