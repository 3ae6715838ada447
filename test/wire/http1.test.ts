import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Http1Event, RequestDecoder, ResponseDecoder, type StreamEnding } from '../../src/wire/http1.ts';
import type { RequestHead } from '../../src/wire/message.ts';
import { anyChunking, byteByByte } from './chunking.ts';

const get: RequestHead = { method: 'GET', target: '/', version: '1.1', headers: [] };

function requests(chunks: readonly Buffer[], ending: StreamEnding = 'finished') {
  const decoder = new RequestDecoder();
  return joined([...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end(ending)]);
}

function responses(
  requests: readonly RequestHead[],
  chunks: readonly Buffer[],
  ending: StreamEnding = 'finished',
) {
  const decoder = new ResponseDecoder();
  for (const request of requests) decoder.expect(request);
  return joined([...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end(ending)]);
}

/** Events with adjacent bytes joined as text, so that chunkings compare. */
function joined<Head>(events: readonly Http1Event<Head>[]) {
  const result: (
    | Exclude<Http1Event<Head>, { bytes: Buffer }>
    | { type: 'data' | 'upgraded'; text: string }
  )[] = [];
  for (const event of events) {
    const last = result.at(-1);
    if (!('bytes' in event)) result.push(event);
    else if (last?.type === event.type && 'text' in last) last.text += event.bytes.toString('latin1');
    else result.push({ type: event.type, text: event.bytes.toString('latin1') });
  }
  return result;
}

const post = Buffer.from(
  'POST /backend-api/codex/responses?a=1 HTTP/1.1\r\n' +
    'version: 0.169.0\r\nX-Twice: a\r\nx-twice:b \t\r\nEmpty:\r\nHost: chatgpt.com\r\ncontent-length: 5\r\n\r\nhello',
);

it('keeps the order, case and duplicates of request headers', () => {
  expect(requests([post])).toEqual([
    {
      type: 'head',
      head: {
        method: 'POST',
        target: '/backend-api/codex/responses?a=1',
        version: '1.1',
        headers: [
          ['version', '0.169.0'],
          ['X-Twice', 'a'],
          ['x-twice', 'b'],
          ['Empty', ''],
          ['Host', 'chatgpt.com'],
          ['content-length', '5'],
        ],
      },
    },
    { type: 'data', text: 'hello' },
    { type: 'end', complete: true },
  ]);
});

it('keeps every byte of a header value', () => {
  const bytes = Buffer.concat([
    Buffer.from('GET / HTTP/1.1\r\nx: '),
    Buffer.of(0x80, 0xff),
    Buffer.from('\r\n\r\n'),
  ]);
  expect(requests([bytes])).toMatchObject([{ head: { headers: [['x', '\x80\xff']] } }, { type: 'end' }]);
});

it('decodes a chunked body and drops extensions and trailers', () => {
  const bytes = Buffer.from(
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' +
      '5;name="v"\r\nhello\r\nC \r\n, wide world\r\n0\r\nExpires: never\r\n\r\n',
  );
  const expected = [
    { type: 'head', head: { status: 200, reason: 'OK' } },
    { type: 'data', text: 'hello, wide world' },
    { type: 'end', complete: true },
  ];
  expect(responses([get], [bytes])).toMatchObject(expected);
  expect(responses([get], byteByByte(bytes))).toMatchObject(expected);
});

it('prefers the transfer encoding to a content length', () => {
  const bytes = Buffer.from(
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
  );
  expect(responses([get], [bytes])).toMatchObject([
    {},
    { type: 'data', text: 'a' },
    { type: 'end', complete: true },
  ]);
});

it('ends a body without a length at the close', () => {
  const bytes = Buffer.from('HTTP/1.0 200 OK\r\n\r\nuntil the end');
  const head = { type: 'head', head: { status: 200, reason: 'OK', version: '1.0', headers: [] } };
  const data = { type: 'data', text: 'until the end' };
  expect(responses([get], [bytes])).toEqual([head, data, { type: 'end', complete: true }]);
  expect(responses([get], [bytes], 'cut')).toEqual([head, data, { type: 'end', complete: false }]);
});

it('reports a body that the connection cut off', () => {
  expect(requests([post.subarray(0, -1)])).toMatchObject([
    { type: 'head' },
    { type: 'data', text: 'hell' },
    { type: 'end', complete: false },
  ]);
});

it('distinguishes interim responses from the final one', () => {
  const bytes = Buffer.from(
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
  );
  expect(responses([get], [bytes])).toMatchObject([
    { type: 'interim', head: { status: 100 } },
    { type: 'interim', head: { status: 103, headers: [['Link', '</a>']] } },
    { type: 'head', head: { status: 204 } },
    { type: 'end', complete: true },
  ]);
});

it('expects no body after the response to a HEAD', () => {
  const head: RequestHead = { ...get, method: 'HEAD' };
  const bytes = Buffer.from(
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n',
  );
  expect(responses([head, get], [bytes])).toMatchObject([
    { type: 'head', head: { status: 200 } },
    { type: 'end', complete: true },
    { type: 'head', head: { status: 304 } },
    { type: 'end', complete: true },
  ]);
});

it('decodes pipelined requests and skips empty lines between them', () => {
  const bytes = Buffer.from(
    'POST /1 HTTP/1.1\r\ncontent-length: 2\r\n\r\nok\r\nGET /2 HTTP/1.1\nHost: h\n\n',
  );
  expect(requests([bytes])).toMatchObject([
    { type: 'head', head: { target: '/1' } },
    { type: 'data', text: 'ok' },
    { type: 'end' },
    { type: 'head', head: { target: '/2', headers: [['Host', 'h']] } },
    { type: 'end' },
  ]);
});

const upgrade = 'GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

it('returns the bytes after an accepted upgrade as upgraded', () => {
  const client = new RequestDecoder();
  expect(client.push(Buffer.from(`${upgrade}early`)).map(({ type }) => type)).toEqual(['head', 'end']);
  expect(joined(client.settleUpgrade(true))).toEqual([{ type: 'upgraded', text: 'early' }]);
  expect(joined(client.push(Buffer.from('later')))).toEqual([{ type: 'upgraded', text: 'later' }]);

  const switching = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nframes');
  expect(responses([get], [switching])).toMatchObject([
    { type: 'head', head: { status: 101 } },
    { type: 'end', complete: true },
    { type: 'upgraded', text: 'frames' },
  ]);
});

it('continues with HTTP after a refused upgrade', () => {
  const client = new RequestDecoder();
  client.push(Buffer.from(upgrade));
  expect(client.push(Buffer.from('GET /2 HTTP/1.1\r\n\r\n'))).toEqual([]);
  expect(client.settleUpgrade(false)).toMatchObject([
    { type: 'head', head: { target: '/2' } },
    { type: 'end' },
  ]);
});

it('returns the bytes after an accepted CONNECT as upgraded', () => {
  const connect: RequestHead = { ...get, method: 'CONNECT', target: 'h:443' };
  expect(responses([connect], [Buffer.from('HTTP/1.1 200 OK\r\n\r\n\x16\x03')])).toMatchObject([
    { type: 'head' },
    { type: 'end' },
    { type: 'upgraded', text: '\x16\x03' },
  ]);
});

const bad: readonly [what: string, bytes: string, reason: string][] = [
  ['a TLS greeting', '\x16\x03\x01\x02', 'the bytes are not HTTP/1.1'],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM', 'the request line is not HTTP/1.1'],
  ['a folded header', 'GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n', 'a header line is not "name: value"'],
  ['a space before the colon', 'GET / HTTP/1.1\r\na : b\r\n\r\n', 'a header line is not "name: value"'],
  [
    'two lengths',
    'GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
    'a content length that is not one number',
  ],
  [
    'a negative length',
    'GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n',
    'a content length that is not one number',
  ],
  [
    'an unknown coding',
    'GET / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n',
    'a request body of unknown transfer encoding',
  ],
  [
    'a bad chunk size',
    'GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxy\r\n',
    'a chunk size that is not a number',
  ],
  [
    'an overlong chunk',
    'GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n',
    'a chunk longer than its declared size',
  ],
  ['a head cut off', 'GET / HTTP/1.1\r\nHost', 'the connection ended inside a head'],
];

it.each(bad)('reports %s once, as undecodable', (_, bytes, reason) => {
  const last = [{ type: 'undecodable', reason }];
  const more = Buffer.from('GET /again HTTP/1.1\r\n\r\n');
  const cutOff = bytes.endsWith('Host');
  expect(requests([Buffer.from(bytes, 'latin1'), ...(cutOff ? [] : [more])]).slice(-1)).toEqual(last);
  expect(requests(byteByByte(Buffer.from(bytes, 'latin1'))).slice(-1)).toEqual(last);
});

it('accepts a head of 64 KiB and rejects a longer one', () => {
  const line = 'GET / HTTP/1.1\r\nx: ';
  const head = (size: number) => Buffer.from(`${line}${'a'.repeat(size - line.length)}\r\n\r\n`);
  expect(requests([head(64 * 1024)])).toMatchObject([{ type: 'head' }, { type: 'end' }]);
  const tooLong = [{ type: 'undecodable', reason: 'a head longer than 64 KiB' }];
  expect(requests([head(64 * 1024 + 1)])).toEqual(tooLong);
  expect(requests([head(64 * 1024 + 1).subarray(0, -4)])).toEqual(tooLong);
});

it('keeps the events before the undecodable byte', () => {
  expect(requests([Buffer.concat([post, Buffer.of(0)])])).toMatchObject([
    { type: 'head' },
    { type: 'data', text: 'hello' },
    { type: 'end', complete: true },
    { type: 'undecodable' },
  ]);
});

it('rejects a response without a request', () => {
  expect(responses([], [Buffer.from('HTTP/1.1 408 Request Timeout\r\n\r\n')])).toEqual([
    { type: 'undecodable', reason: 'a response without a request' },
  ]);
});

it('decodes requests the same in any chunking', () => {
  const bytes = Buffer.concat([
    post,
    Buffer.from(
      '\r\nPOST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n',
    ),
  ]);
  const whole = requests([bytes]);
  expect(whole.filter(({ type }) => type === 'head')).toHaveLength(3);
  fc.assert(
    fc.property(anyChunking(bytes), (chunks) => {
      expect(requests(chunks)).toEqual(whole);
    }),
  );
});

it('decodes responses the same in any chunking', () => {
  const bytes = Buffer.from(
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 404 Not Found\r\n\r\nrest',
  );
  const requests = [get, get, get];
  const whole = responses(requests, [bytes]);
  expect(whole.filter(({ type }) => type === 'head')).toHaveLength(3);
  fc.assert(
    fc.property(anyChunking(bytes), (chunks) => {
      expect(responses(requests, chunks)).toEqual(whole);
    }),
  );
});
