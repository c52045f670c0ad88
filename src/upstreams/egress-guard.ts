/**
 * Keeps a URL that a provider gave us from reaching anything but the public internet.
 *
 * Three checks, because each is blind somewhere: the URL (a lookup hook is never called for an IP literal), every
 * resolved address (a public name may answer with a private address), the connected socket (the last word before the
 * first byte). Redirects are the caller's: never follow one.
 */
import { type LookupAddress, type LookupOptions, lookup } from "node:dns";
import type { LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";

export interface EgressPolicy {
  /** Only for the demo and for tests, where the providers run on this machine. */
  allowLoopback: boolean;
  /** Our own public names and addresses, `host` (with all its subdomains) or `host:port`; IPv6 in brackets. */
  ownHosts: readonly string[];
}

/** Stable words: they reach providers as the reason why a URL was refused. */
export type EgressRefusal =
  | "MALFORMED"
  | "NOT_HTTPS"
  | "HAS_CREDENTIALS"
  | "HAS_QUERY_OR_FRAGMENT"
  | "PRIVATE_NAME"
  | "PRIVATE_ADDRESS"
  | "OWN_HOST"
  | "UNRESOLVED";

export class EgressRefused extends Error {
  override readonly name = "EgressRefused";
  readonly reason: EgressRefusal;

  constructor(reason: EgressRefusal, target: string) {
    super(`Refused to connect to ${JSON.stringify(target)}: ${reason}`);
    this.reason = reason;
  }
}

const URL_CHARS_MAX = 2048;

/** Suffixes that only mean something inside a network (RFC 6762, RFC 8375, ICANN's `internal`, habit). */
const PRIVATE_SUFFIXES = [".local", ".internal", ".home.arpa", ".localdomain", ".lan"];

/** Unicast on paper, yet answered by the hypervisor next door: Azure's wire server. */
const PRIVATE_IN_PUBLIC_RANGE = new Set(["168.63.129.16"]);

/**
 * The canonical URL, its host without a trailing dot, or EgressRefused.
 * Call it when a URL is stored and again before each new connection pool: it is what catches IP literals.
 */
export function checkUpstreamUrl(text: string, policy: EgressPolicy): URL {
  const refuse = (reason: EgressRefusal) => new EgressRefused(reason, text.slice(0, 200));

  // The URL parser drops tabs, newlines and soft hyphens and reads "\" as "/": whoever reviews the text would read
  // another host than the one that is dialled.
  if (text.length > URL_CHARS_MAX || /[\s\\\p{Cc}\p{Cf}]/u.test(text) || !URL.canParse(text)) throw refuse("MALFORMED");
  const url = new URL(text);
  if (url.protocol !== "https:") throw refuse("NOT_HTTPS");
  if (!/^https:\/\/[^/]/i.test(text) || url.port === "0") throw refuse("MALFORMED");
  if (/^https:\/\/[^/?#]*@/i.test(text)) throw refuse("HAS_CREDENTIALS");
  if (/[?#]/.test(text)) throw refuse("HAS_QUERY_OR_FRAGMENT");

  const host = url.hostname.replace(/\.$/, "");
  if (host === "" || host.split(".").includes("")) throw refuse("MALFORMED");
  const reason = hostRefusal(host, policy) ?? (isOwn(host, url.port || "443", policy) ? "OWN_HOST" : undefined);
  if (reason) throw refuse(reason);
  url.hostname = host;
  return url;
}

/** True for addresses that the public internet routes to one host; false for everything else, and for what is no address. */
export function isPublicAddress(ip: string): boolean {
  if (ip.includes("%") || PRIVATE_IN_PUBLIC_RANGE.has(ip) || !ipaddr.isValid(ip)) return false;
  const address = ipaddr.parse(ip);
  if (address.range() !== "unicast") return false;
  // "unicast" is the library's word for "none of the ranges I know", which lets ::7f00:1 (IPv4-compatible loopback)
  // and unallocated space through. IANA has assigned global unicast from 2000::/3 only.
  return !(address instanceof ipaddr.IPv6) || (address.parts[0] ?? 0) >> 13 === 1;
}

/**
 * A `dns.lookup` for `connect.lookup` that asks for all addresses and refuses when any of them is private: a mixed
 * answer is an attack or a mistake. The connection uses the addresses that were checked, so a second, different answer
 * (DNS rebinding) has nobody to ask for it.
 */
export function guardedLookup(policy: EgressPolicy, resolve: ResolveAll = lookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, "", 0);
      const first = addresses[0];
      const reason = first ? answerRefusal(addresses, policy) : "UNRESOLVED";
      if (!first || reason) return callback(new EgressRefused(reason ?? "UNRESOLVED", hostname), "", 0);
      if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

export type ResolveAll = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** Throws EgressRefused unless the socket is connected to where the policy allows. Call it before writing a byte. */
export function assertRemoteAddress(
  socket: { remoteAddress?: string | undefined; remotePort?: number | undefined },
  policy: EgressPolicy,
): void {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined) throw new EgressRefused("UNRESOLVED", "a socket that is not connected");
  if (!isReachable(remoteAddress, policy)) throw new EgressRefused("PRIVATE_ADDRESS", remoteAddress);
  if (isOwn(hostOf(remoteAddress), String(remotePort), policy)) throw new EgressRefused("OWN_HOST", remoteAddress);
}

function hostRefusal(host: string, policy: EgressPolicy): EgressRefusal | undefined {
  const literal = host.startsWith("[") ? host.slice(1, -1) : host;
  if (ipaddr.isValid(literal)) return isReachable(literal, policy) ? undefined : "PRIVATE_ADDRESS";
  if (host === "localhost" || host.endsWith(".localhost")) return policy.allowLoopback ? undefined : "PRIVATE_ADDRESS";
  const isPrivateName = !host.includes(".") || PRIVATE_SUFFIXES.some((suffix) => host.endsWith(suffix));
  return isPrivateName ? "PRIVATE_NAME" : undefined;
}

function answerRefusal(addresses: readonly LookupAddress[], policy: EgressPolicy): EgressRefusal | undefined {
  if (!addresses.every(({ address }) => isReachable(address, policy))) return "PRIVATE_ADDRESS";
  return addresses.some(({ address }) => isOwn(hostOf(address), undefined, policy)) ? "OWN_HOST" : undefined;
}

function isReachable(ip: string, policy: EgressPolicy): boolean {
  if (isPublicAddress(ip)) return true;
  return policy.allowLoopback && ipaddr.isValid(ip) && ipaddr.parse(ip).range() === "loopback";
}

/** `port` undefined: not known yet, so only entries that name no port can match. */
function isOwn(host: string, port: string | undefined, policy: EgressPolicy): boolean {
  return policy.ownHosts.some((entry) => {
    const [, name, ownPort] = /^(\[.+\]|[^:]+)(?::(\d+))?$/.exec(entry) ?? [];
    if (name === undefined || !URL.canParse(`https://${name}`)) {
      throw new TypeError(`${JSON.stringify(entry)} is not "host" or "host:port".`);
    }
    const own = new URL(`https://${name}`).hostname.replace(/\.$/, "");
    return (host === own || host.endsWith(`.${own}`)) && (ownPort === undefined || ownPort === port);
  });
}

/** An address as the URL parser spells it, so that it compares equal to a canonical host. */
function hostOf(ip: string): string {
  return ip.includes(":") ? new URL(`https://[${ip.replace(/%.*$/, "")}]`).hostname : ip;
}
