import type { ServerResponse } from 'node:http';
import type { HeaderList } from '../../wire/headers.ts';
import type { BackendAnswer } from './backend-answer.ts';

/** Answers with what the backend answered. */
export function answerBackend(response: ServerResponse, answer: BackendAnswer, more: HeaderList): void {
  response.writeHead(answer.status, [...answer.headers, ...more].flat());
  response.end(answer.body);
}
