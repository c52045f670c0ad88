import { ConfigError, readConfig } from "../../src/platform/config";
import { reconnectDelayMs } from "../../src/platform/redis";
import { parseRedisUrl } from "../../src/platform/redis-url";

test("one server, with what stands around its name", () => {
  expect(parseRedisUrl("redis://localhost")).toEqual({
    nodes: [{ host: "localhost", port: 6379 }],
    isCluster: false,
    tls: false,
    username: undefined,
    password: undefined,
    database: 0,
  });
  expect(parseRedisUrl("rediss://me:p%40ss:word@[::1]:7000/3")).toEqual({
    nodes: [{ host: "::1", port: 7000 }],
    isCluster: false,
    tls: true,
    username: "me",
    password: "p@ss:word",
    database: 3,
  });
});

test("a Cluster by its seeds", () => {
  expect(parseRedisUrl("rediss+cluster://:hush@a:7001,b,10.0.0.3:7003")).toEqual({
    nodes: [
      { host: "a", port: 7001 },
      { host: "b", port: 6379 },
      { host: "10.0.0.3", port: 7003 },
    ],
    isCluster: true,
    tls: true,
    username: undefined,
    password: "hush",
    database: 0,
  });
});

test.each([
  ["http://me:hush@localhost", "must be redis://"],
  ["redis://", "must be redis://"],
  ["redis://me:hush@a:1,b:2", "several hosts are a Cluster"],
  ["redis+cluster://a:1,b:2/3", "the database 0 only"],
  ["redis://:hush@a:70000", "each host must be name:port"],
  ["redis+cluster://a,,b", "each host must be name:port"],
  ["redis://:%zz@a", "percent-encoded"],
])("%s is a fault that the configuration names without repeating it", (url, fault) => {
  const attempt = () => readConfig({ REDIS_URL: url });
  expect(attempt).toThrow(ConfigError);
  try {
    attempt();
  } catch (error) {
    expect((error as ConfigError).faults).toEqual([expect.stringMatching(new RegExp(`^REDIS_URL: .*${fault}`))]);
    expect((error as ConfigError).message).not.toContain("hush");
  }
});

test("roles are named in any order, and nothing else is one", () => {
  expect(readConfig({ ROLES: "worker, api" }).roles).toEqual(["api", "worker"]);
  expect(readConfig({}).roles).toEqual(["api", "relay", "worker"]);
  expect(() => readConfig({ ROLES: "api,cook" })).toThrow(
    /ROLES: must name some of api,relay,worker \(got "api,cook"\)/,
  );
});

test("the wait before a new connection grows to five seconds at most, and no two processes share it", () => {
  const longest = Array.from({ length: 12 }, (_, attempt) => reconnectDelayMs(attempt, () => 0.999));
  expect(longest).toEqual([...longest].sort((a, b) => a - b));
  expect(Math.max(...longest)).toBeLessThanOrEqual(5_000);
  expect(reconnectDelayMs(12, () => 0)).toBe(2_500);
});
