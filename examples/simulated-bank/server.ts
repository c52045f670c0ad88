/** A SIMULATED bank over HTTP: takes payments over once per Idempotency-Key, and lets time pass until it says what became of them. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type CallbackOptions, Callbacks } from "./callbacks";
import { courseOf, faultOf, type Payment, type PaymentRequest, type Rules, reasons, ruleFor } from "./payments";

export interface SimulatedBankOptions {
  readonly host?: string;
  /** 0: a free one. */
  readonly port?: number;
  /** From taking a payment over to saying that it is under way. */
  readonly transitMs?: number;
  /** From there to each next word. */
  readonly settleMs?: number;
  readonly rules?: Rules;
  /** Without it nobody is told anything, and payments have to be asked about. */
  readonly callbacks?: CallbackOptions;
  /** For tests in the same process: awaited before a payment is looked at, and before it is answered. */
  readonly onPayment?: (moment: "received" | "taken", key: string) => void | Promise<void>;
}

export interface SimulatedBank {
  readonly url: string;
  payments(): readonly Payment[];
  /** Requests for payments, repeats included. */
  requests(): number;
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 16_384;

export async function startSimulatedBank(options: SimulatedBankOptions): Promise<SimulatedBank> {
  const bank = new Bank(options);
  const { host = "127.0.0.1", port = 0 } = options;
  const server = createServer((request, response) => void bank.serve(request, response));
  server.listen(port, host);
  await once(server, "listening");
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`,
    payments: () => [...bank.payments.values()],
    requests: () => bank.requests,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await Promise.all([closed, bank.close()]);
    },
  };
}

class Bank {
  readonly payments = new Map<string, Payment>();
  requests = 0;
  private readonly bodies = new Map<string, string>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly callbacks: Callbacks | undefined;

  constructor(private readonly options: SimulatedBankOptions) {
    this.callbacks = options.callbacks && new Callbacks(options.callbacks);
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const path = new URL(request.url ?? "/", "http://bank").pathname;
      if (request.method === "POST" && path === "/payments") return await this.take(request, response);
      const key = /^\/payments\/([^/]+)$/.exec(path)?.[1];
      if (request.method === "GET" && key !== undefined) return this.look(decodeURIComponent(key), response);
      send(response, 404, { reason: "POST /payments, or GET /payments/{key}." });
    } catch (error) {
      if (!response.headersSent) send(response, 500, { reason: String(error) });
    }
  }

  async close(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    await this.callbacks?.close();
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1;
    const key = request.headers["idempotency-key"];
    const text = await readText(request);
    if (typeof key !== "string" || key === "") {
      return send(response, 400, { code: "NARR", reason: "An Idempotency-Key is missing." });
    }
    await this.options.onPayment?.("received", key);
    const known = this.payments.get(key);
    if (known !== undefined) {
      const same = this.bodies.get(key) === text;
      if (!same)
        return send(response, 409, { code: "DUPL", reason: "This Idempotency-Key came with another payment." });
      return send(response, 200, shown(known));
    }
    const order = parsed(text);
    const refused = ruleFor(order?.creditor?.iban ?? "", this.options.rules?.refuse);
    const fault =
      faultOf(order) ?? (refused === null ? null : { code: refused, reason: reasons[refused] ?? "Refused" });
    if (fault !== null) return send(response, 422, fault);
    const payment = this.open(key, order as PaymentRequest, text);
    await this.options.onPayment?.("taken", key);
    send(response, 202, shown(payment));
  }

  private open(key: string, order: PaymentRequest, text: string): Payment {
    const reference = `SIM-${(this.payments.size + 1).toString().padStart(6, "0")}`;
    const payment: Payment = { key, reference, order, state: "ACCEPTED", code: null, reason: null };
    this.payments.set(key, payment);
    this.bodies.set(key, text);
    const { transitMs = 0, settleMs = 0, rules = {} } = this.options;
    courseOf(order.creditor.iban, rules).forEach(({ state, code }, step) => {
      this.after(transitMs + step * settleMs, () => {
        Object.assign(payment, { state, code, reason: code === null ? null : (reasons[code] ?? "Returned") });
        this.callbacks?.tell(payment);
      });
    });
    return payment;
  }

  private look(key: string, response: ServerResponse): void {
    const payment = this.payments.get(key);
    if (payment === undefined) send(response, 404, { reason: "No such payment." });
    else send(response, 200, shown(payment));
  }

  private after(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, ms);
    this.timers.add(timer);
  }
}

const shown = ({ key, reference, state, code, reason }: Payment) => ({ key, reference, state, code, reason });

function parsed(text: string): PaymentRequest | null {
  try {
    return JSON.parse(text) as PaymentRequest;
  } catch {
    return null;
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Error(`A payment has at most ${BODY_BYTES_MAX} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response
    .writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
      "x-simulated": "true",
    })
    .end(text);
}
