import type { HeaderList } from './headers.ts';
import { STATUS_CODES } from './node-http.ts';

/** The bytes of an HTTP/1.1 response after which the connection ends, for writing to a raw socket. */
export function closingResponse({
  status,
  headers,
  body,
}: {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: string | Buffer;
}): Buffer {
  const fields: HeaderList = [
    ...headers,
    ['content-length', String(Buffer.byteLength(body))],
    ['connection', 'close'],
  ];
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    ...fields.map((field) => field.join(': ')),
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body)]);
}
