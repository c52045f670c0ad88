/** After all tests: the embedded server that the set-up started is stopped and its directory removed. */

export default async function tearDown(): Promise<void> {
  await globalThis.stopTestServer?.();
}
