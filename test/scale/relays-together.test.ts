import type { UtilizationMeasurement } from "../../src/events/topics";
import { RelaysTogether, together } from "../../src/routing/relays-together";

const SECOND = 1_000_000_000n;

function measured(
  instance: string,
  of: Partial<UtilizationMeasurement> & { soldS?: number } = {},
): UtilizationMeasurement {
  const { soldS = 1, ...rest } = of;
  const sold = (BigInt(soldS) * SECOND).toString();
  return {
    instance,
    endpointId: "endpoint",
    providerId: "provider",
    at: "2026-01-01T00:00:00.000Z",
    listedGpus: 8,
    slots: 4,
    inFlight: soldS,
    soldGpuNanos: sold,
    activeGpuNanos: (BigInt(soldS) * (SECOND / 2n)).toString(),
    minute: { soldGpuNanos: sold, activeGpuNanos: (BigInt(sold) / 2n).toString(), listedGpuNanos: `${8n * SECOND}` },
    ...rest,
  };
}

test("one relay: each measurement is a sample", () => {
  const relays = new RelaysTogether();
  for (let second = 0; second < 3; second += 1) {
    const samples = relays.heard(measured("a", { soldS: 2 }), second * 1_000);
    expect(samples).toMatchObject([
      { inFlight: 2, soldGpuNanos: `${2n * SECOND}`, fillPpm: 250_000, utilizationPpm: 500_000 },
    ]);
  }
});

test("several relays are one sample a round, of all that they serve together", () => {
  const relays = new RelaysTogether();
  relays.heard(measured("a"), 0);
  expect(relays.heard(measured("b"), 300)).toEqual([]);
  const samples = [
    ...relays.heard(measured("a", { soldS: 1 }), 1_000),
    ...relays.heard(measured("b", { soldS: 3 }), 1_300),
    ...relays.heard(measured("a", { soldS: 2 }), 2_000),
    ...relays.heard(measured("b", { soldS: 2 }), 2_300),
    ...relays.heard(measured("a", { soldS: 2 }), 3_000),
  ];
  expect(samples.map(({ inFlight }) => inFlight)).toEqual([2, 5, 4]);
});

test("whatever the order in which relays are heard, their spans add up to what was served", () => {
  const relays = new RelaysTogether();
  const order = ["a", "b", "c", "c", "a", "b", "b", "a", "c", "a", "a", "b", "c", "c", "b"];
  const samples = order.flatMap((instance, index) => relays.heard(measured(instance), index * 300));
  // The end of each round, so that nothing is left in one.
  samples.push(
    ...["a", "b", "c"].flatMap((instance, index) => relays.heard(measured(instance, { soldS: 0 }), 5_000 + index)),
  );
  samples.push(
    ...["a", "b", "c"].flatMap((instance, index) => relays.heard(measured(instance, { soldS: 0 }), 6_000 + index)),
  );
  const sold = samples.reduce((sum, { soldGpuNanos }) => sum + BigInt(soldGpuNanos), 0n);
  expect(sold).toBe(BigInt(order.length) * SECOND);
});

test("a relay that was not heard for three seconds is counted no more", () => {
  const relays = new RelaysTogether();
  relays.heard(measured("a"), 0);
  relays.heard(measured("b"), 100);
  const samples = [1_000, 2_000, 3_000, 4_000, 5_000].flatMap((nowMs) => relays.heard(measured("a"), nowMs));
  expect(samples.at(0)!.inFlight).toBe(2);
  expect(samples.at(-1)!.inFlight).toBe(1);
});

test("endpoints are apart from each other", () => {
  const relays = new RelaysTogether();
  expect(relays.heard(measured("a", { endpointId: "one" }), 0)).toHaveLength(1);
  expect(relays.heard(measured("b", { endpointId: "other" }), 0)).toHaveLength(1);
});

test("shares are of the sums, never beyond the whole, and of nothing nothing", () => {
  const full = measured("a", { minute: { soldGpuNanos: "600", activeGpuNanos: "700", listedGpuNanos: "500" } });
  expect(together([full], [full])).toMatchObject({ fillPpm: 1_000_000, utilizationPpm: 1_000_000 });
  const idle = measured("a", { minute: { soldGpuNanos: "0", activeGpuNanos: "0", listedGpuNanos: "0" } });
  expect(together([idle], [idle])).toMatchObject({ fillPpm: 0, utilizationPpm: 0 });
  const mixed = [
    measured("a", { minute: { soldGpuNanos: "100", activeGpuNanos: "100", listedGpuNanos: "1000" } }),
    measured("b", { minute: { soldGpuNanos: "300", activeGpuNanos: "0", listedGpuNanos: "800" } }),
  ];
  expect(together(mixed, mixed)).toMatchObject({ fillPpm: 400_000, utilizationPpm: 250_000 });
});
