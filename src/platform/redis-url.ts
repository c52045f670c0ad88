/** Reads REDIS_URL: one server (`redis://`, `rediss://`) or a Cluster (`redis+cluster://`, `rediss+cluster://`, seeds separated by commas). */

export interface RedisAddress {
  /** Where to connect; of a Cluster the nodes that are asked for the others. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly isCluster: boolean;
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
}

const DEFAULT_PORT = 6379;
/** No user, host or password has an unescaped @ or /. */
const shape = /^(rediss?)(\+cluster)?:\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/(\d*))?$/;

/** What is wrong is an Error whose message repeats nothing of the URL: it may hold a password. */
export function parseRedisUrl(url: string): RedisAddress {
  const [, scheme, cluster, userinfo, hosts, database] = shape.exec(url) ?? [];
  if (scheme === undefined || hosts === undefined) {
    throw new Error("must be redis://host:port, rediss://host:port, or redis+cluster://host:port,host:port");
  }
  const nodes = hosts.split(",").map(nodeOf);
  const isCluster = cluster !== undefined;
  if (!isCluster && nodes.length > 1) throw new Error("several hosts are a Cluster: write redis+cluster://");
  if (isCluster && Number(database ?? 0) !== 0) throw new Error("a Cluster has the database 0 only");
  const [username, ...password] = userinfo?.split(":") ?? [];
  return {
    nodes,
    isCluster,
    tls: scheme === "rediss",
    username: username ? decoded(username) : undefined,
    password: password.length > 0 ? decoded(password.join(":")) : undefined,
    database: Number(database || 0),
  };
}

function nodeOf(text: string): { host: string; port: number } {
  const [, v6, name, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = v6 ?? name;
  const number = Number(port ?? DEFAULT_PORT);
  if (host === undefined || number < 1 || number > 65_535) throw new Error("each host must be name:port");
  return { host, port: number };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error("user and password must be percent-encoded");
  }
}
