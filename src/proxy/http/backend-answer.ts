import type { HeaderList } from '../../wire/headers.ts';
import { member, toNode, tryParseJson } from '../../wire/json.ts';
import { ApiError } from './api-error.ts';
import { endToEnd } from './refusal.ts';

/** An answer of the backend that is no stream of events: it reaches the client as it is. */
export class BackendAnswer extends Error {
  override readonly name = 'BackendAnswer';
  readonly status: number;
  /** What of its headers is for the client. */
  readonly headers: HeaderList;
  readonly body: Buffer;
  /** Whether it refuses a sign-in that cannot be renewed: nothing is gained by asking again. */
  readonly isFinal: boolean;

  constructor(status: number, headers: HeaderList, body: Buffer, isFinal = false) {
    super(`the backend answered ${status}`);
    this.status = status;
    this.headers = endToEnd(headers).filter(([name]) => name.toLowerCase() !== 'content-length');
    this.body = body;
    this.isFinal = isFinal;
  }

  /** The error it tells, for clients that have no use for an answer of HTTP. */
  get told(): ApiError {
    const text = this.body.toString('utf8');
    const error = member(tryParseJson(text)?.node, 'error');
    const told = { message: text.slice(0, 1000), type: 'backend_error', param: null, code: null };
    return new ApiError(this.status, error?.kind === 'object' ? error : toNode(told), this.headers);
  }
}
