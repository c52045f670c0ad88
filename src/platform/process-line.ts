/** What a process and its parent say to each other over Node's channel between them: named messages, and questions that are answered. */

/** Either end: a child process in its parent, or `process` in the child. */
export interface Channel {
  readonly connected?: boolean;
  send?(message: unknown, sent: (error: Error | null) => void): boolean;
  on(event: "message", listener: (message: unknown) => void): unknown;
  on(event: "disconnect", listener: () => void): unknown;
}

interface Message {
  readonly kind: string;
  readonly content: unknown;
  /** Of a question, and of its answer. */
  readonly question?: number;
}

export class ProcessLine {
  /** Messages that the other end has not taken yet. */
  waiting = 0;
  private readonly listeners = new Map<string, (content: unknown, question: number | undefined) => void>();
  private readonly asked = new Map<number, (answer: unknown) => void>();
  private questions = 0;

  constructor(private readonly channel: Channel) {
    channel.on("message", (message) => this.hear(message as Message));
    channel.on("disconnect", () => {
      for (const [question] of this.asked) this.answered(question, null);
    });
  }

  /** Never fails: what is told to a process that is gone is lost with it. */
  tell(kind: string, content: unknown = null): void {
    this.send({ kind, content });
  }

  /** One listener for each kind. */
  on<Content>(kind: string, listener: (content: Content) => void): void {
    this.listeners.set(kind, (content) => listener(content as Content));
  }

  /** The other end is there. */
  get connected(): boolean {
    return this.channel.connected === true;
  }

  /** Null when no answer came in time, and when the other end is gone. */
  ask<Answer>(kind: string, patienceMs: number, content: unknown = null): Promise<Answer | null> {
    this.questions += 1;
    const question = this.questions;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answered(question, null), patienceMs);
      this.asked.set(question, (answer) => {
        clearTimeout(timer);
        resolve(answer as Answer | null);
      });
      if (!this.send({ kind, content, question })) this.answered(question, null);
    });
  }

  /** What `ask` of the other end gets; null when it fails. */
  answer<Content>(kind: string, answer: (content: Content) => Promise<unknown>): void {
    this.listeners.set(kind, (asked, question) => {
      const reply = (content: unknown) => this.send({ kind: "answer", content, ...(question ? { question } : {}) });
      void answer(asked as Content).then(reply, () => reply(null));
    });
  }

  private send(message: Message): boolean {
    if (!this.channel.connected) return false;
    this.waiting += 1;
    this.channel.send!(message, () => {
      this.waiting -= 1;
    });
    return true;
  }

  private hear({ kind, content, question }: Message): void {
    if (kind === "answer") this.answered(question, content);
    else this.listeners.get(kind)?.(content, question);
  }

  private answered(question: number | undefined, answer: unknown): void {
    const resolve = this.asked.get(question ?? 0);
    this.asked.delete(question ?? 0);
    resolve?.(answer);
  }
}
