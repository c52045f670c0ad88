// In which order the files run: what takes longest begins first, so that no worker is left alone with it at the end.
const { default: TestSequencer } = require("@jest/test-sequencer");

/** Jest goes by the times of its last run. A fresh clone has none, and by size a file that waits for processes is small. */
const slow = [
  "ledger/model.db", // thousands of random commands, the books proved after each
  "funding/idempotency-keys.e2e", // nine thousand requests
  "access/row-policies.e2e", // every operation, by everybody, with every kind of id
  "access/matrix.e2e", // the same
  "demo/demo.e2e", // three demos
  "chaos/money.e2e", // kills, and processes that come back
  "relay/processes.e2e", // three processes each, killed and drained
  "api/two-ways.e2e", // every committed operation by everybody, several times
  "workloads/kills.e2e", // workers that are killed and come back
  "platform/start.e2e", // a dozen starts
  "chaos/live.e2e", // kills, and two hundred readers
  "scale/several-processes.e2e", // five processes
];

const placeOf = ({ path }) => {
  const place = slow.findIndex((name) => path.endsWith(`/test/${name}.test.ts`));
  return place === -1 ? slow.length : place;
};

module.exports = class SlowFirst extends TestSequencer {
  sort(tests) {
    return super.sort(tests).toSorted((a, b) => placeOf(a) - placeOf(b));
  }
};
