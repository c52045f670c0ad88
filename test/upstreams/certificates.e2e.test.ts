import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import {
  type CertificateAuthority,
  certificateSha256,
  createCertificateAuthority,
  type Identity,
  issueClientCertificate,
  issueServerCertificate,
} from "../../src/upstreams/certificates";

let providerCa: CertificateAuthority;
let platformCa: CertificateAuthority;
let client: Identity;

beforeAll(async () => {
  providerCa = await createCertificateAuthority("Provider CA");
  platformCa = await createCertificateAuthority("Platform, CA=1"); // A name that a string DN would misread.
  client = await issueClientCertificate(platformCa, { commonName: "relay" });
});

/** What the server says to a client that passed both checks, or the error that ended the handshake. */
async function greet(server: Identity, caller: Partial<Identity>, host = "127.0.0.1"): Promise<string> {
  const listener = createServer(
    { cert: server.certPem, key: server.keyPem, ca: platformCa.certPem, requestCert: true, rejectUnauthorized: true },
    (socket: TLSSocket) => socket.on("error", () => {}).end(`hello ${socket.getPeerCertificate().subject.CN}`),
  );
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  try {
    const socket = connect({
      host: "127.0.0.1",
      port,
      ca: providerCa.certPem,
      cert: caller.certPem,
      key: caller.keyPem,
      ...(host === "127.0.0.1" ? {} : { servername: host }),
    });
    const chunks = await socket.toArray();
    return Buffer.concat(chunks).toString();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    listener.close();
  }
}

describe("certificates", () => {
  it("let a server and a client that trust each other's authority meet, by address and by name", async () => {
    const server = await issueServerCertificate(providerCa, { dnsNames: ["gpu.example"], ipAddresses: ["127.0.0.1"] });
    expect(await greet(server, client)).toBe("hello relay");
    expect(await greet(server, client, "gpu.example")).toBe("hello relay");
  });

  it("are refused for another name, from another authority, and after they ended", async () => {
    const names = { dnsNames: ["gpu.example"], ipAddresses: ["127.0.0.1"] };
    const good = await issueServerCertificate(providerCa, names);
    expect(await greet(good, client, "other.example")).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
    expect(await greet(await issueServerCertificate(platformCa, names), client)).toBe("SELF_SIGNED_CERT_IN_CHAIN");
    const ended = await issueServerCertificate(providerCa, {
      ...names,
      notBefore: new Date("2020-01-01"),
      validDays: 30,
    });
    expect(await greet(ended, client)).toBe("CERT_HAS_EXPIRED");
  });

  it("keep out a client without a certificate, with a foreign one, and with a server's one", async () => {
    const server = await issueServerCertificate(providerCa, { dnsNames: [], ipAddresses: ["127.0.0.1"] });
    expect(await greet(server, {})).toMatch(/^ERR_SSL/);
    expect(await greet(server, await issueClientCertificate(providerCa, { commonName: "thief" }))).not.toContain(
      "hello",
    );
    const wrongUse = await issueServerCertificate(platformCa, { dnsNames: ["relay.example"], ipAddresses: [] });
    expect(await greet(server, wrongUse)).not.toContain("hello");
  });

  it("say how long they hold and whether they may sign others", () => {
    const ca = new X509Certificate(platformCa.certPem);
    const leaf = new X509Certificate(client.certPem);
    expect(ca.toLegacyObject().subject.CN).toBe("Platform, CA=1");
    expect([ca.ca, leaf.ca]).toEqual([true, false]);
    expect(leaf.checkIssued(ca) && leaf.verify(ca.publicKey)).toBe(true);
    expect((Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / 86_400_000).toBe(365);
  });

  it("are named by the hash of their DER, the thumbprint of RFC 8705", () => {
    const der = Buffer.from(client.certPem.replace(/-----.*?-----|\s/g, ""), "base64");
    expect(certificateSha256(client.certPem)).toBe(createHash("sha256").update(der).digest("base64url"));
  });

  it("are not issued for nothing", () => {
    expect(() => issueServerCertificate(providerCa, { dnsNames: [], ipAddresses: [] })).toThrow(/at least one/);
  });
});
