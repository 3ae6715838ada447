/** The end of a channel to another process: `process` in a child, and what has forked it in the parent. */
export type ProcessChannel = {
  readonly send: (message: object) => void;
  readonly onMessage: (listener: (message: unknown) => void) => void;
  /** Calls back when the other process is gone. */
  readonly onEnd: (listener: () => void) => void;
};

/** What the other process may call, by name. */
export type CallHandlers = Readonly<Record<string, (...args: never[]) => unknown>>;

/** The other process is gone. */
export class ProcessGone extends Error {}

/** Calls of functions between two processes. An error that a handler throws rejects the call with its message. */
export class ProcessCalls<Remote extends CallHandlers> {
  readonly #channel: ProcessChannel;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #count = 0;
  #isOpen = true;

  constructor(channel: ProcessChannel, handlers: CallHandlers) {
    this.#channel = channel;
    channel.onMessage((message) => {
      if (isResult(message)) this.#settle(message);
      else if (isCall(message)) void this.#handle(message, handlers);
    });
    channel.onEnd(() => {
      this.#isOpen = false;
      for (const { reject } of this.#waiting.values()) reject(new ProcessGone('the other process is gone'));
      this.#waiting.clear();
    });
  }

  /** Calls a function of the other process. Rejects with ProcessGone when that ends before it responds. */
  async call<Name extends keyof Remote & string>(
    name: Name,
    ...args: Parameters<Remote[Name]>
  ): Promise<Awaited<ReturnType<Remote[Name]>>> {
    if (!this.#isOpen) throw new ProcessGone('the other process is gone');
    this.#count += 1;
    const id = this.#count;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#send({ call: name, id, args });
    return (await waiting.promise) as Awaited<ReturnType<Remote[Name]>>;
  }

  async #handle({ call, id, args }: Call, handlers: CallHandlers): Promise<void> {
    try {
      const handler = handlers[call] as ((...args: readonly unknown[]) => unknown) | undefined;
      this.#send({ id, result: await handler?.(...args) });
    } catch (error) {
      this.#send({ id, error: error instanceof Error ? error.message : String(error) });
    }
  }

  #settle({ id, result, error }: Result): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }

  #send(message: Call | Result): void {
    if (this.#isOpen) this.#channel.send(message);
  }
}

type Call = { readonly call: string; readonly id: number; readonly args: readonly unknown[] };
type Result = { readonly id: number; readonly result?: unknown; readonly error?: string };

function isCall(message: unknown): message is Call {
  return typeof message === 'object' && message !== null && 'call' in message && 'args' in message;
}

function isResult(message: unknown): message is Result {
  return typeof message === 'object' && message !== null && 'id' in message && !('call' in message);
}
