import type { HeaderList } from './headers.ts';
import type { RequestHead, ResponseHead } from './message.ts';
import { UndecodableError } from './undecodable.ts';

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const requestLine = new RegExp(`^(${token}) (\\S+) HTTP/(1\\.[01])$`);
const statusLine = /^HTTP\/(1\.[01]) (\d{3})(?: (.*))?$/;
const headerLine = new RegExp(`^(${token}):[ \\t]*(.*?)[ \\t]*$`);

/**
 * Parses a request head (RFC 9112 §3, §5): the start line and the header lines, without the empty line. Text is latin1,
 * which keeps every byte of a value. Throws UndecodableError.
 */
export function parseRequestHead(block: Buffer): RequestHead {
  const [start, headers] = startAndHeaders(block);
  const [, method, target, version] = requestLine.exec(start) ?? [];
  if (method === undefined || target === undefined || version === undefined) {
    throw new UndecodableError('the request line is not HTTP/1.1');
  }
  return { method, target, version: version === '1.0' ? '1.0' : '1.1', headers };
}

/** Parses a response head (RFC 9112 §4, §5), like parseRequestHead. Throws UndecodableError. */
export function parseResponseHead(block: Buffer): ResponseHead {
  const [start, headers] = startAndHeaders(block);
  const [, version, status, reason] = statusLine.exec(start) ?? [];
  if (version === undefined || status === undefined) {
    throw new UndecodableError('the status line is not HTTP/1.1');
  }
  return {
    status: Number(status),
    reason: reason ?? '',
    version: version === '1.0' ? '1.0' : '1.1',
    headers,
  };
}

/** True while the bytes can still become a request line. Other bytes are reported at once, not at 64 KiB. */
export function mayStartRequest(bytes: Buffer): boolean {
  return new RegExp(`^${token}(?: |$)`).test(bytes.toString('latin1', 0, 32));
}

/** True while the bytes can still become a status line. */
export function mayStartResponse(bytes: Buffer): boolean {
  const version = 'HTTP/1.';
  return version.startsWith(bytes.toString('latin1', 0, version.length));
}

function startAndHeaders(block: Buffer): [start: string, headers: HeaderList] {
  const [start = '', ...lines] = block.toString('latin1').split(/\r?\n/);
  return [start, lines.map(parseHeaderLine)];
}

function parseHeaderLine(line: string): readonly [string, string] {
  const [, name, value] = headerLine.exec(line) ?? [];
  if (name === undefined || value === undefined)
    throw new UndecodableError('a header line is not "name: value"');
  return [name, value];
}
