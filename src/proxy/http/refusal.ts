import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { ParityError } from '../../errors.ts';
import type { HeaderList } from '../../wire/headers.ts';
import { printJson, toNode } from '../../wire/json.ts';
import { ApiError } from './api-error.ts';

/** A request that the proxy itself does not serve. The message is for the client. */
export function refused(status: number, code: string, message: string): ApiError {
  const type = status < 500 ? 'invalid_request_error' : 'proxy_error';
  return new ApiError(status, toNode({ message, type, param: null, code }));
}

/** What a client is told of a failure: of its sign-in what is to be done, of the network nothing. */
export function failureOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof ParityError) return refused(503, error.code.replaceAll('-', '_'), error.message);
  return refused(502, 'upstream_unreachable', 'the backend cannot be reached');
}

/** The error event that says the same, as the backend words its own over the websocket. */
export function errorEvent({ status, error, headers }: ApiError): string {
  const told = headers.length === 0 ? '' : `,"headers":${JSON.stringify(Object.fromEntries(headers))}`;
  return `{"type":"error","status":${status},"error":${printJson(error)}${told}}`;
}

const hopByHop =
  /^(?:connection|upgrade|keep-alive|proxy-.*|te|trailer|transfer-encoding|sec-websocket-.*)$/i;

/** Headers that belong to the conversation, not to the connection they came over. */
export function endToEnd(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => !hopByHop.test(name));
}

/** Answers with an error, where the answer has not begun; else cuts it off. */
export function answerError(response: ServerResponse, error: ApiError, more: HeaderList = []): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = Buffer.from(error.body);
  const own: HeaderList = [
    ['content-type', 'application/json'],
    ['content-length', String(body.length)],
  ];
  response.writeHead(error.status, [...own, ...error.headers, ...more].flat());
  response.end(body);
}

/** Answers an upgrade with anything but a websocket, and ends the connection. */
export function refuseUpgrade(
  socket: Duplex,
  status: number,
  headers: HeaderList,
  body: string | Buffer,
): void {
  const lines = endToEnd(headers)
    .filter(([name]) => name.toLowerCase() !== 'content-length')
    .map(([name, value]) => `${name}: ${value}\r\n`);
  const length = `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n`;
  socket.write(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}${length}\r\n`,
    'latin1',
  );
  socket.end(body);
}
