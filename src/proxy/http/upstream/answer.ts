import type { IncomingMessage, ServerResponse } from 'node:http';
import { pairHeaders } from '../../../wire/headers.ts';
import { endToEnd } from '../refusal.ts';

/**
 * Hands an answer of the backend down: status, headers in their order and case, body byte for byte. An answer that is
 * cut off, or silent for `idle` milliseconds, is cut off for the client too.
 */
export function handDown(answer: IncomingMessage, response: ServerResponse, idle: number): Promise<void> {
  const headers = endToEnd(pairHeaders(answer.rawHeaders)).flat();
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', headers);
  response.flushHeaders();
  answer.setTimeout(idle, () => answer.destroy());
  return new Promise((resolve) => {
    answer.once('close', () => {
      if (!answer.complete) response.destroy();
      resolve();
    });
    answer.on('error', () => {});
    response.once('close', () => answer.destroy());
    answer.pipe(response);
  });
}
