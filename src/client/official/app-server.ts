import type { Writable } from 'node:stream';
import { ParityError } from '../../errors.ts';
import { type JsonNode, member, printJson, stringAt, tryParseJson } from '../../wire/json.ts';
import { type GroupOptions, type GroupRun, runInGroup } from '../process-group.ts';

/** What the client tells of itself, such as `turn/completed`. */
export type AppServerNotification = { readonly method: string; readonly params: JsonNode | undefined };

type PendingCall = { readonly method: string; resolve(result: JsonNode): void; reject(error: Error): void };

/**
 * A client that is told what to do while it runs: `codex app-server`, which speaks JSON-RPC over its standard input and
 * output, one message a line, without the member `jsonrpc` (measured: codex 0.118.0 to 0.169.0).
 */
export class AppServer {
  /** Resolves when the process is over; rejects when it cannot be started. */
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
      onStdoutLine: (line) => this.#heard(line),
    });
  }

  /**
   * Calls a method; rejects with a ParityError `client-failed` where the client refuses, and never settles where it
   * ends.
   */
  call(method: string, params: object): Promise<JsonNode> {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#say({ method, id, params });
    return new Promise((resolve, reject) => this.#calls.set(id, { method, resolve, reject }));
  }

  notify(method: string): void {
    this.#say({ method });
  }

  /** Lets the client end by itself: it does when nothing more will be said to it. */
  async stop(): Promise<void> {
    this.#input?.end();
    await this.ended;
  }

  #say(message: object): void {
    this.#input?.write(`${JSON.stringify(message)}\n`);
  }

  #heard(line: string): void {
    const message = tryParseJson(line)?.node;
    const method = stringAt(message, 'method');
    const id = member(message, 'id');
    if (method === undefined) this.#answered(id, message);
    else if (id === undefined) this.#onNotification({ method, params: member(message, 'params') });
    else this.#decline(id);
  }

  /** The client asks for an approval, or for more to be typed: nobody is there. */
  #decline(id: JsonNode): void {
    this.#input?.write(`{"id":${printJson(id)},"error":{"code":-32601,"message":"nobody is there"}}\n`);
  }

  #answered(id: JsonNode | undefined, message: JsonNode | undefined): void {
    const key = id?.kind === 'number' ? Number(id.text) : Number.NaN;
    const call = this.#calls.get(key);
    if (call === undefined) return;
    this.#calls.delete(key);
    const result = member(message, 'result');
    const reason = stringAt(message, 'error', 'message') ?? 'it said no reason';
    if (result !== undefined) call.resolve(result);
    else call.reject(new ParityError('client-failed', `the client refused ${call.method}: ${reason}`));
  }
}
