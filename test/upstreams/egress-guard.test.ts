import type { LookupAddress, LookupOptions } from "node:dns";
import fc from "fast-check";
import {
  assertRemoteAddress,
  checkUpstreamUrl,
  type EgressPolicy,
  EgressRefused,
  guardedLookup,
  isPublicAddress,
} from "../../src/upstreams/egress-guard";

const strict: EgressPolicy = {
  allowLoopback: false,
  ownHosts: ["exergy.example", "203.0.114.7", "[2606:4700::53]", "shared.example:4000"],
};
const demo: EgressPolicy = { allowLoopback: true, ownHosts: ["127.0.0.1:4000", "localhost:4000", "[::1]:4000"] };

function reason(work: () => unknown): string {
  try {
    work();
    return "ALLOWED";
  } catch (error) {
    if (error instanceof EgressRefused) return error.reason;
    throw error;
  }
}

/** Every one of these connects to something inside, or hides where it goes, when nobody checks. */
const HOSTILE: [url: string, reason: string][] = [
  // Loopback in every spelling that the URL parser understands.
  ["https://127.0.0.1/", "PRIVATE_ADDRESS"],
  ["https://127.1/", "PRIVATE_ADDRESS"],
  ["https://127.0.1/", "PRIVATE_ADDRESS"],
  ["https://0x7f000001/", "PRIVATE_ADDRESS"],
  ["https://0x7f.1/", "PRIVATE_ADDRESS"],
  ["https://0177.0.0.1/", "PRIVATE_ADDRESS"],
  ["https://2130706433/", "PRIVATE_ADDRESS"],
  ["https://017700000001/", "PRIVATE_ADDRESS"],
  ["https://0/", "PRIVATE_ADDRESS"],
  ["https://0.0.0.0/", "PRIVATE_ADDRESS"],
  ["https://①②⑦.0.0.1/", "PRIVATE_ADDRESS"],
  ["https://127。0。0。1/", "PRIVATE_ADDRESS"],
  ["https://%31%32%37.0.0.1/", "PRIVATE_ADDRESS"],
  ["https://127.0.0.1./", "PRIVATE_ADDRESS"],
  ["https://127.0.0.1:8443/v1", "PRIVATE_ADDRESS"],
  ["https://127.255.255.254/", "PRIVATE_ADDRESS"],
  ["https://[::1]/", "PRIVATE_ADDRESS"],
  ["https://[0:0:0:0:0:0:0:1]/", "PRIVATE_ADDRESS"],
  ["https://[::]/", "PRIVATE_ADDRESS"],
  ["https://[::ffff:127.0.0.1]/", "PRIVATE_ADDRESS"],
  ["https://[::ffff:7f00:1]/", "PRIVATE_ADDRESS"],
  ["https://[::127.0.0.1]/", "PRIVATE_ADDRESS"],
  ["https://[::7f00:1]/", "PRIVATE_ADDRESS"],
  ["https://localhost/", "PRIVATE_ADDRESS"],
  ["https://LOCALHOST./", "PRIVATE_ADDRESS"],
  ["https://anything.localhost/", "PRIVATE_ADDRESS"],
  // Ways around through translation and tunnels.
  ["https://[64:ff9b::7f00:1]/", "PRIVATE_ADDRESS"],
  ["https://[64:ff9b:1::a9fe:a9fe]/", "PRIVATE_ADDRESS"],
  ["https://[2002:7f00:1::]/", "PRIVATE_ADDRESS"],
  ["https://[2001:0:53aa:64c:0:0:f5ff:fffe]/", "PRIVATE_ADDRESS"],
  ["https://[::ffff:0:127.0.0.1]/", "PRIVATE_ADDRESS"],
  ["https://[::ffff:8.8.8.8]/", "PRIVATE_ADDRESS"],
  // Networks of the house, of the cloud, of nobody.
  ["https://10.0.0.5/", "PRIVATE_ADDRESS"],
  ["https://172.16.3.4/", "PRIVATE_ADDRESS"],
  ["https://192.168.1.1/", "PRIVATE_ADDRESS"],
  ["https://169.254.169.254/latest/meta-data", "PRIVATE_ADDRESS"],
  ["https://0xa9fea9fe/", "PRIVATE_ADDRESS"],
  ["https://[fe80::a9fe:a9fe]/", "PRIVATE_ADDRESS"],
  ["https://[fd00:ec2::254]/", "PRIVATE_ADDRESS"],
  ["https://[fec0::1]/", "PRIVATE_ADDRESS"],
  ["https://100.100.100.200/", "PRIVATE_ADDRESS"],
  ["https://168.63.129.16/", "PRIVATE_ADDRESS"],
  ["https://198.18.0.1/", "PRIVATE_ADDRESS"],
  ["https://192.0.2.9/", "PRIVATE_ADDRESS"],
  ["https://224.0.0.1/", "PRIVATE_ADDRESS"],
  ["https://240.0.0.1/", "PRIVATE_ADDRESS"],
  ["https://255.255.255.255/", "PRIVATE_ADDRESS"],
  ["https://[ff02::1]/", "PRIVATE_ADDRESS"],
  ["https://[2001:db8::1]/", "PRIVATE_ADDRESS"],
  ["https://[4000::1]/", "PRIVATE_ADDRESS"],
  ["https://metadata.google.internal/", "PRIVATE_NAME"],
  ["https://postgres/", "PRIVATE_NAME"],
  ["https://postgres./", "PRIVATE_NAME"],
  ["https://api.default.svc.cluster.local/", "PRIVATE_NAME"],
  ["https://printer.LAN/", "PRIVATE_NAME"],
  ["https://nas.home.arpa/", "PRIVATE_NAME"],
  // Ourselves: a loop through our own edge.
  ["https://exergy.example/", "OWN_HOST"],
  ["https://EXERGY.example./", "OWN_HOST"],
  ["https://exergy.example:8443/", "OWN_HOST"],
  ["https://relay.exergy.example/", "OWN_HOST"],
  ["https://203.0.114.7/", "OWN_HOST"],
  ["https://0xcb007207/", "OWN_HOST"],
  ["https://[2606:4700:0::0053]/", "OWN_HOST"],
  ["https://shared.example:4000/", "OWN_HOST"],
  // Not https, or not what it looks like.
  ["http://gpu.example/", "NOT_HTTPS"],
  ["ftp://gpu.example/", "NOT_HTTPS"],
  ["file:///etc/passwd", "NOT_HTTPS"],
  ["gopher://127.0.0.1:6379/_", "NOT_HTTPS"],
  ["HTTP://gpu.example", "NOT_HTTPS"],
  ["https://user:secret@gpu.example/", "HAS_CREDENTIALS"],
  ["https://user@gpu.example/", "HAS_CREDENTIALS"],
  ["https://@gpu.example/", "HAS_CREDENTIALS"],
  ["https://gpu.example@127.0.0.1/", "HAS_CREDENTIALS"],
  ["https://gpu.example/?a=1", "HAS_QUERY_OR_FRAGMENT"],
  ["https://gpu.example?", "HAS_QUERY_OR_FRAGMENT"],
  ["https://gpu.example/#", "HAS_QUERY_OR_FRAGMENT"],
  ["", "MALFORMED"],
  ["gpu.example", "MALFORMED"],
  ["//gpu.example/", "MALFORMED"],
  ["https:gpu.example", "MALFORMED"],
  ["https:///127.0.0.1/", "MALFORMED"],
  ["https:\\\\127.0.0.1\\v1", "MALFORMED"],
  ["https://gpu.example\\@127.0.0.1/", "MALFORMED"],
  ["https://gpu.ex\tample/", "MALFORMED"],
  ["https://gpu.example/\r\nHost: inside", "MALFORMED"],
  [" https://gpu.example/", "MALFORMED"],
  ["https://gpu.example/\u0000", "MALFORMED"],
  ["https://local\u00adhost/", "MALFORMED"],
  ["https://127.0.0.1../", "MALFORMED"],
  ["https://gpu..example/", "MALFORMED"],
  ["https://256.1.1.1/", "MALFORMED"],
  ["https://1.2.3.4.5/", "MALFORMED"],
  ["https://[fe80::1%25eth0]/", "MALFORMED"],
  ["https://gpu.example:0/", "MALFORMED"],
  ["https://gpu.example:99999/", "MALFORMED"],
  [`https://gpu.example/${"a".repeat(2048)}`, "MALFORMED"],
];

describe("a provider's URL", () => {
  it.each(HOSTILE)("%j is refused with %s", (url, expected) => {
    expect(reason(() => checkUpstreamUrl(url, strict))).toBe(expected);
  });

  it.each([
    ["https://gpu.example", "https://gpu.example/"],
    ["https://GPU.Example.:443/base/v1", "https://gpu.example/base/v1"],
    ["https://gpu.example:8443/v1/", "https://gpu.example:8443/v1/"],
    ["https://8.8.8.8/", "https://8.8.8.8/"],
    ["https://[2606:4700:4700::1111]:8443/", "https://[2606:4700:4700::1111]:8443/"],
    ["https://gpü.example/", "https://xn--gp-yka.example/"],
    ["https://shared.example/", "https://shared.example/"],
    ["https://notexergy.example/", "https://notexergy.example/"],
  ])("%s is allowed and becomes %s", (url, canonical) => {
    expect(checkUpstreamUrl(url, strict).href).toBe(canonical);
  });

  it("may be on loopback only where the configuration says so, and even there not be our own port or another network", () => {
    for (const url of ["https://127.0.0.1:9001/", "https://localhost:9001/", "https://[::1]:9001/"]) {
      expect(checkUpstreamUrl(url, demo).port).toBe("9001");
      expect(reason(() => checkUpstreamUrl(url.replace("9001", "4000"), demo))).toBe("OWN_HOST");
    }
    for (const host of ["10.0.0.1", "0.0.0.0", "169.254.169.254", "[::ffff:127.0.0.1]"]) {
      expect(reason(() => checkUpstreamUrl(`https://${host}:9001/`, demo))).toBe("PRIVATE_ADDRESS");
    }
  });

  it("never reaches a private IPv4 address, however its number is written", () => {
    const spellings = (n: number) => [
      `${n}`,
      `0x${n.toString(16)}`,
      `0${n.toString(8)}`,
      `${n >>> 24}.${n & 0xffffff}`,
    ];
    const privateAddress = fc.oneof(
      fc.integer({ min: 0x0a000000, max: 0x0affffff }),
      fc.integer({ min: 0x7f000000, max: 0x7fffffff }),
      fc.integer({ min: 0xa9fe0000, max: 0xa9feffff }),
      fc.integer({ min: 0xac100000, max: 0xac1fffff }),
      fc.integer({ min: 0xc0a80000, max: 0xc0a8ffff }),
    );
    fc.assert(
      fc.property(privateAddress, (n) => {
        for (const host of spellings(n)) {
          expect(reason(() => checkUpstreamUrl(`https://${host}/`, strict))).toBe("PRIVATE_ADDRESS");
        }
      }),
    );
  });

  it("is not judged with a list of own hosts that cannot be read", () => {
    const policy = { allowLoopback: false, ownHosts: ["https://exergy.example/"] };
    expect(() => checkUpstreamUrl("https://gpu.example/", policy)).toThrow(TypeError);
  });
});

describe("an address", () => {
  it("is public only when it is unicast and allocated", () => {
    for (const ip of ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
      expect([ip, isPublicAddress(ip)]).toEqual([ip, true]);
    for (const ip of ["", "gpu.example", "127.0.0.1", "::7f00:1", "2606:4700::1%eth0", "::ffff:8.8.8.8", "300.1.1.1"]) {
      expect([ip, isPublicAddress(ip)]).toEqual([ip, false]);
    }
  });
});

describe("the guarded lookup", () => {
  /** Plays DNS; records whether all addresses were asked for. */
  function lookup(policy: EgressPolicy, addresses: string[], options: LookupOptions = { all: true }) {
    const resolver = guardedLookup(policy, (_hostname, asked, callback) => {
      expect(asked.all).toBe(true);
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      );
    });
    return new Promise<string | LookupAddress[]>((resolve, reject) => {
      resolver("gpu.example", options, (error, address) => (error ? reject(error) : resolve(address)));
    });
  }

  it("hands on exactly the addresses that it checked, in both shapes that Node asks for", async () => {
    expect(await lookup(strict, ["8.8.8.8", "2606:4700:4700::1111"])).toEqual([
      { address: "8.8.8.8", family: 4 },
      { address: "2606:4700:4700::1111", family: 6 },
    ]);
    expect(await lookup(strict, ["8.8.8.8", "1.1.1.1"], {})).toBe("8.8.8.8");
  });

  it.each([
    [["127.0.0.1"], "PRIVATE_ADDRESS"],
    [["8.8.8.8", "10.0.0.1"], "PRIVATE_ADDRESS"],
    [["8.8.8.8", "::ffff:10.0.0.1"], "PRIVATE_ADDRESS"],
    [["8.8.8.8", "fd00::1"], "PRIVATE_ADDRESS"],
    [["8.8.8.8", "203.0.114.7"], "OWN_HOST"],
    [["2606:4700:0:0:0:0:0:53"], "OWN_HOST"],
    [[], "UNRESOLVED"],
  ])("refuses the answer %j with %s", async (addresses, expected) => {
    await expect(lookup(strict, addresses)).rejects.toMatchObject({ name: "EgressRefused", reason: expected });
    await expect(lookup(strict, addresses, { all: false })).rejects.toMatchObject({ reason: expected });
  });

  it("passes a resolver's own error on", async () => {
    const failing = guardedLookup(strict, (_hostname, _options, callback) =>
      callback(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }), []),
    );
    const error = await new Promise((resolve) => failing("gpu.example", { all: true }, resolve));
    expect(error).toMatchObject({ code: "ENOTFOUND" });
  });

  it("lets loopback through only where the configuration says so", async () => {
    expect(await lookup(demo, ["127.0.0.1"], {})).toBe("127.0.0.1");
    await expect(lookup(demo, ["127.0.0.1", "10.0.0.1"])).rejects.toMatchObject({ reason: "PRIVATE_ADDRESS" });
  });
});

describe("a connected socket", () => {
  it.each([
    ["8.8.8.8", 443, "ALLOWED"],
    ["10.0.0.1", 443, "PRIVATE_ADDRESS"],
    ["::ffff:127.0.0.1", 443, "PRIVATE_ADDRESS"],
    ["fe80::1%eth0", 443, "PRIVATE_ADDRESS"],
    ["203.0.114.7", 443, "OWN_HOST"],
    [undefined, undefined, "UNRESOLVED"],
  ])("at %s port %s is %s", (remoteAddress, remotePort, expected) => {
    expect(reason(() => assertRemoteAddress({ remoteAddress, remotePort }, strict))).toBe(expected);
  });

  it("at our own port is refused even where loopback is allowed", () => {
    expect(reason(() => assertRemoteAddress({ remoteAddress: "127.0.0.1", remotePort: 9001 }, demo))).toBe("ALLOWED");
    expect(reason(() => assertRemoteAddress({ remoteAddress: "127.0.0.1", remotePort: 4000 }, demo))).toBe("OWN_HOST");
  });
});
