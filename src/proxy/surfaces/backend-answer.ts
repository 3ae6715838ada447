import type { ServerResponse } from 'node:http';
import type { HeaderList } from '../../wire/headers.ts';
import { member, toNode, tryParseJson } from '../../wire/json.ts';
import { ApiError } from '../api-error.ts';
import { endToEnd } from '../refusal.ts';
import type { BackendAnswer } from '../sessions/backend-answer.ts';

/** Answers with what the backend answered. */
export function answerBackend(response: ServerResponse, answer: BackendAnswer, more: HeaderList): void {
  response.writeHead(answer.status, [...headersOf(answer), ...more].flat());
  response.end(answer.body);
}

/** An answer of the backend as the error it tells, for clients that have no use for an answer of HTTP. */
export function errorIn(answer: BackendAnswer): ApiError {
  const text = answer.body.toString('utf8');
  const error = member(tryParseJson(text)?.node, 'error');
  const told = { message: text.slice(0, 1000), type: 'backend_error', param: null, code: null };
  return new ApiError(answer.status, error?.kind === 'object' ? error : toNode(told), headersOf(answer));
}

function headersOf({ headers }: BackendAnswer): HeaderList {
  return endToEnd(headers).filter(([name]) => name.toLowerCase() !== 'content-length');
}
