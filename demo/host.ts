/** What bin/ lends to the demo: a running marketplace, and the few things that only the owner of the machine can do. */

export interface DemoHost {
  /** Starts database, API, relay and worker in this process. */
  open(): Promise<Marketplace>;
  /** Runs when the process stops, whatever stops it; last registered first. */
  onStop(name: string, stop: () => Promise<void> | void): void;
  /** A signal came: whatever fails from now on fails because of it. */
  isStopping(): boolean;
}

export interface Marketplace {
  readonly apiUrl: string;
  readonly relayUrl: string;
  /** Where it keeps its data, for the reader. */
  readonly database: string;
  /** Before the first key there is nobody who could make one through the API. */
  readonly operatorKey: string;
  /** What providers must know to recognise the relay. */
  readonly issuer: string;
  readonly jwksUrl: string;
  readonly clientCaPem: string;
  /** The reference provider's main file. */
  readonly providerProgram: string;
  /** A certificate for a server on this machine, under a CA of its owner's own. */
  newServerIdentity(owner: string): Promise<ServerIdentity>;
}

export interface ServerIdentity {
  readonly caPem: string;
  readonly tls: { readonly certPem: string; readonly keyPem: string };
}
