/** What one process of a family says, all hear once; whoever falls behind is told that it missed something. */
import { EventEmitter } from "node:events";
import { FamilyBus } from "../../src/events/family-bus";
import { Processes } from "../../src/events/presence";
import { createLog } from "../../src/platform/log";
import { type Channel, ProcessLine } from "../../src/platform/process-line";
import { until } from "../support/leftovers";

const log = createLog({ level: "silent" });

/** Two ends of one channel; what is sent arrives when the other end takes it. */
function channel(): { parent: End; child: End } {
  const [parent, child] = [new End(), new End()];
  [parent.other, child.other] = [child, parent];
  return { parent, child };
}

class End extends EventEmitter implements Channel {
  connected = true;
  other!: End;
  takes = true;
  private readonly queue: (() => void)[] = [];

  send(message: unknown, sent: (error: Error | null) => void): boolean {
    this.queue.push(() => {
      sent(null);
      this.other.emit("message", structuredClone(message));
    });
    setImmediate(() => this.take());
    return true;
  }

  take(): void {
    if (this.takes) for (const deliver of this.queue.splice(0)) deliver();
  }
}

function family(children: number) {
  const parent = new FamilyBus({ log });
  const members = Array.from({ length: children }, () => {
    const ends = channel();
    const bus = new FamilyBus({ log });
    bus.join(new ProcessLine(ends.child));
    return { bus, ends, leave: parent.join(new ProcessLine(ends.parent)) };
  });
  return { parent, members };
}

test("what a child says is heard by itself, its parent and its siblings, once each", async () => {
  const { parent, members } = family(2);
  const heard: string[] = [];
  parent.on("api-key.revoked", ({ keyId }) => heard.push(`parent ${keyId}`));
  for (const [index, { bus }] of members.entries())
    bus.on("api-key.revoked", ({ keyId }) => heard.push(`child ${index} ${keyId}`));
  members[0]!.bus.publish("api-key.revoked", { keyId: "k" });
  await until("all to have heard", () => heard.length === 3);
  await new Promise((resolve) => setImmediate(resolve));
  expect(heard.sort()).toEqual(["child 0 k", "child 1 k", "parent k"]);
});

test("of values that replace each other the newest is sent, and what concerns one process alone stays in it", async () => {
  const { parent, members } = family(1);
  const heard: string[] = [];
  members[0]!.bus.on("balance.changed", ({ startupId }) => heard.push(startupId));
  members[0]!.bus.on("bus.reconnected", () => heard.push("again"));
  for (let i = 0; i < 100; i++) parent.publish("balance.changed", { startupId: "s" });
  parent.publish("bus.reconnected", {});
  parent.publish("balance.changed", { startupId: "t" });
  await until("the newest", () => heard.includes("t"));
  expect(heard).toEqual(["s", "t"]);
});

test("a child that does not listen is told later that it missed something, and its siblings are not kept waiting", async () => {
  const { parent, members } = family(2);
  const [deaf, other] = members as [(typeof members)[0], (typeof members)[0]];
  const again: object[] = [];
  const revoked: string[] = [];
  deaf.bus.on("bus.reconnected", (nothing) => void again.push(nothing));
  other.bus.on("api-key.revoked", ({ keyId }) => void revoked.push(keyId));
  deaf.ends.parent.takes = false;
  for (let i = 0; i < 1_500; i++) {
    parent.publish("api-key.revoked", { keyId: `${i}` });
    parent.flush();
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await until("the sibling to have heard all", () => revoked.length === 1_500);
  deaf.ends.parent.takes = true;
  deaf.ends.parent.take();
  parent.publish("supply.changed", {});
  await until("the deaf one to look again", () => again.length === 1);
});

test("one that left hears nothing, and says nothing to the others", async () => {
  const { parent, members } = family(1);
  members[0]!.leave();
  const heard: object[] = [];
  members[0]!.bus.on("supply.changed", (nothing) => void heard.push(nothing));
  parent.publish("supply.changed", {});
  await new Promise((resolve) => setImmediate(resolve));
  expect(heard).toEqual([]);
});

test("a question is answered, null when the other end fails, is silent or gone", async () => {
  const { parent, child } = channel();
  const [asking, answering] = [new ProcessLine(parent), new ProcessLine(child)];
  answering.answer("well", async () => "so so");
  answering.answer("ill", () => Promise.reject(new Error("no")));
  expect(await asking.ask("well", 1_000)).toBe("so so");
  expect(await asking.ask("ill", 1_000)).toBeNull();
  expect(await asking.ask("unheard of", 5)).toBeNull();
  const open = asking.ask("unheard of", 60_000);
  parent.emit("disconnect");
  expect(await open).toBeNull();
  parent.connected = false;
  expect(await asking.ask("well", 60_000)).toBeNull();
});

test("without Redis the processes of a family know each other, until one leaves", async () => {
  const { parent, members } = family(1);
  const startedAt = new Date();
  const of = (instance: string, bus: FamilyBus) =>
    new Processes({ instance, roles: ["relay"], startedAt, version: "1" }, undefined, bus);
  const [a, b] = [of("a", parent), of("b", members[0]!.bus)];
  await b.announce();
  await until("a to know b", async () => (await a.list()).length === 2);
  expect((await a.list()).map(({ instance }) => instance)).toEqual(["a", "b"]);
  await b.leave();
  await until("a to be alone", async () => (await a.list()).length === 1);
});
