import { isErrorEvent } from '../client/replay/replay-turns.ts';
import type { ClientRefusal } from '../golden/match/mismatch.ts';
import type { Observation } from '../trace/observation.ts';
import type { Sealer } from '../trace/seal.ts';
import { textOf } from '../wire/content-collector.ts';
import { headerValue } from '../wire/headers.ts';
import { type JsonNode, member, tryParseJson } from '../wire/json.ts';
import { decodeSse } from '../wire/sse.ts';

/** The requests of clients for a response: the Responses API with its compaction, and chat completions. */
const modelRoute = /\/(?:responses(?:\/compact)?|chat\/completions)(?:\?|$)/;

/** The longest quoted text, in characters. */
const longestQuote = 300;

/**
 * Keeps the last refusal that a subject sent to its client: an error response, an error event, or a close message. A trace
 * does not have it, because error messages are prose, which is sealed. Here only secrets are.
 */
export class RefusalWatch {
  readonly #sealer: Sealer;
  /** The method of the last model request, its exchange, and what refused it. */
  #request = { exchange: 0, method: '' };
  #status: number | undefined;
  #isEncoded = false;
  #last: ClientRefusal | undefined;

  constructor(sealer: Sealer) {
    this.#sealer = sealer;
  }

  /** The refusal of the last model request; undefined if it was not refused. */
  get last(): ClientRefusal | undefined {
    return this.#last;
  }

  /** Takes what the tap in front of the subject observes. */
  readonly observe = (observation: Observation): void => {
    if (observation.type === 'request' && modelRoute.test(observation.head.target)) {
      this.#request = { exchange: observation.exchange, method: observation.head.method };
      this.#last = undefined;
      this.#status = undefined;
    }
    if (!('exchange' in observation) || observation.exchange !== this.#request.exchange) return;
    if (observation.type === 'response') {
      const { status, headers } = observation.head;
      this.#status = status;
      this.#isEncoded = headerValue(headers, 'content-encoding') !== undefined;
      if (status >= 400) this.#refused('', status);
    }
    if (observation.type === 'body' && observation.from === 'backend' && !this.#isEncoded)
      this.#body(textOf(observation.bytes));
    if (observation.type === 'message' && observation.from === 'backend') {
      const { opcode, payload } = observation.message;
      if (opcode === 'text') this.#event(textOf(payload));
      else if (opcode === 'close' && Buffer.isBuffer(payload) && payload.length > 2)
        this.#refused(payload.toString('utf8', 2), payload.readUInt16BE(0));
    }
  };

  #body(text: string): void {
    if (this.#status !== undefined && this.#status >= 400) this.#refused(text, this.#status);
    else for (const { data } of decodeSse(text)) this.#event(data);
  }

  #event(text: string): void {
    const node = tryParseJson(text)?.node;
    if (isErrorEvent(node)) this.#refused(text, statusIn(node));
  }

  #refused(text: string, status: number | undefined): void {
    const plain = this.#sealer.withoutSecrets(text.replaceAll(/\s+/g, ' ').trim());
    const quote = plain.length > longestQuote ? `${plain.slice(0, longestQuote)}…` : plain;
    const { method } = this.#request;
    this.#last = { method, ...(status === undefined ? {} : { status }), text: quote };
  }
}

/** The status in an error event. */
function statusIn(event: JsonNode | undefined): number | undefined {
  const status = member(event, 'status') ?? member(event, 'status_code');
  return status?.kind === 'number' ? Number(status.text) : undefined;
}
