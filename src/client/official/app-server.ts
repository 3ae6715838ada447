import type { Writable } from 'node:stream';
import { ParityError } from '../../errors.ts';
import { type JsonNode, member, printJson, stringAt, tryParseJson } from '../../wire/json.ts';
import { type GroupOptions, type GroupRun, runInGroup } from '../process-group.ts';

/** A message that the client sends by itself, such as `turn/completed`. */
export type AppServerNotification = { readonly method: string; readonly params: JsonNode | undefined };

type PendingCall = { readonly method: string; resolve(result: JsonNode): void; reject(error: Error): void };

/**
 * A running `codex app-server`. It speaks JSON-RPC on standard input and output, one message per line, without the
 * member `jsonrpc` (measured: codex 0.118.0 to 0.169.0).
 */
export class AppServer {
  /** Resolves when the process has ended; rejects when it cannot be started. */
  readonly ended: Promise<GroupRun>;
  readonly #calls = new Map<number, PendingCall>();
  readonly #onNotification: (notification: AppServerNotification) => void;
  #input: Writable | undefined;
  #lastId = 0;

  constructor(
    command: readonly string[],
    options: Omit<GroupOptions, 'onStart' | 'onStdoutLine'>,
    onNotification: (notification: AppServerNotification) => void,
  ) {
    this.#onNotification = onNotification;
    this.ended = runInGroup(command, {
      ...options,
      onStart: (input) => {
        this.#input = input;
      },
      onStdoutLine: (line) => this.#receive(line),
    });
  }

  /**
   * Calls a method. Rejects with a ParityError `client-failed` when the client returns an error, and never settles when
   * the client ends first.
   */
  call(method: string, params: object): Promise<JsonNode> {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#send({ method, id, params });
    return new Promise((resolve, reject) => this.#calls.set(id, { method, resolve, reject }));
  }

  notify(method: string): void {
    this.#send({ method });
  }

  /** Closes standard input, and resolves when the client has ended because of it. */
  async stop(): Promise<void> {
    this.#input?.end();
    await this.ended;
  }

  #send(message: object): void {
    this.#input?.write(`${JSON.stringify(message)}\n`);
  }

  #receive(line: string): void {
    const message = tryParseJson(line)?.node;
    const method = stringAt(message, 'method');
    const id = member(message, 'id');
    if (method === undefined) this.#settle(id, message);
    else if (id === undefined) this.#onNotification({ method, params: member(message, 'params') });
    else this.#decline(id);
  }

  /** Declines a request of the client, such as for an approval: there is no user. */
  #decline(id: JsonNode): void {
    this.#input?.write(`{"id":${printJson(id)},"error":{"code":-32601,"message":"nobody is there"}}\n`);
  }

  #settle(id: JsonNode | undefined, message: JsonNode | undefined): void {
    const key = id?.kind === 'number' ? Number(id.text) : Number.NaN;
    const call = this.#calls.get(key);
    if (call === undefined) return;
    this.#calls.delete(key);
    const result = member(message, 'result');
    const reason = stringAt(message, 'error', 'message') ?? 'without a reason';
    if (result !== undefined) call.resolve(result);
    else call.reject(new ParityError('client-failed', `the client refused ${call.method}: ${reason}`));
  }
}
