import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import type { Observation } from '../../src/trace/observation.ts';
import { Sealer } from '../../src/trace/seal.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { TraceRecorder } from '../../src/trace/trace-recorder.ts';
import { contentLimit } from '../../src/wire/content-collector.ts';
import type { HeaderList } from '../../src/wire/headers.ts';
import { printJson } from '../../src/wire/json.ts';

function record(...observations: readonly Observation[]): TraceEvent[] {
  const events: TraceEvent[] = [];
  const recorder = new TraceRecorder(new Sealer({ ownTexts: ['OK'] }), (event) => events.push(event));
  for (const observation of observations) recorder.observe(observation);
  return events;
}

function request(target: string, headers: HeaderList = []): Observation {
  return {
    type: 'request',
    connection: 1,
    exchange: 1,
    head: { method: 'POST', target, version: '1.1', headers },
  };
}

function body(
  bytes: Buffer,
  { target = '/v1/responses', headers = [] as HeaderList, complete = true } = {},
): Extract<Observation, { type: 'body' }> {
  return { type: 'body', exchange: 1, from: 'backend', target, headers, bytes, complete };
}

function message(payload: Buffer, opcode: 'text' | 'binary' | 'close'): Observation {
  const carried = { opcode, payload, compressed: false, fragments: 1 };
  return { type: 'message', exchange: 1, from: 'client', message: carried };
}

/** The content of the last event. */
function content(...observations: readonly Observation[]) {
  const event = record(...observations).at(-1);
  return event?.type === 'body' || event?.type === 'message' ? event.content : undefined;
}

function digest(bytes: Buffer) {
  return { kind: 'bytes', bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

it('seals heads and JSON', () => {
  const events = record(
    request('/responses?api_key=k', [['Authorization', 'Bearer t']]),
    message(Buffer.from('{"email":"a","text":"OK"}'), 'text'),
  );
  expect(events).toMatchObject([
    {
      target: { value: '/responses?api_key=<<secret token 2>>' },
      headers: [['Authorization', { value: 'Bearer <<secret token 1>>' }]],
    },
    { content: { kind: 'json', spaced: false } },
  ]);
  const [, sent] = events;
  expect(sent?.type === 'message' && sent.content.kind === 'json' && printJson(sent.content.json)).toBe(
    '{"email":"<<secret email 1>>","text":"OK"}',
  );
});

it('seals an account in the path when a header of the request names it', () => {
  const [sealed] = record(request('/accounts/acct-1/usage', [['chatgpt-account-id', 'acct-1']]));
  expect(sealed).toMatchObject({ target: { value: '/accounts/<<secret account_id 1>>/usage' } });
});

it('records white space in JSON, and seals other text', () => {
  expect(content(request('/responses'), message(Buffer.from('{ "a":1}'), 'text'))).toMatchObject({
    spaced: true,
  });
  expect(content(request('/responses'), message(Buffer.from('who are you'), 'text'))).toMatchObject({
    kind: 'text',
    text: { value: expect.stringMatching(/^<<sealed 11 [0-9a-f]{64}>>$/) },
  });
});

it.each([
  ['zstd', zstdCompressSync],
  ['gzip', gzipSync],
  ['identity', (bytes: Buffer) => bytes],
])('reads a model request with content encoding %s', (encoding, encode) => {
  const bytes = encode(Buffer.from('{"a":1}'));
  const recorded = content(body(bytes, { headers: [['Content-Encoding', encoding]] }));
  expect(recorded?.kind === 'json' && printJson(recorded.json)).toBe('{"a":1}');
});

it('keeps only length and hash of a body it cannot decode', () => {
  const bytes = gzipSync('{"a":1}').subarray(0, 12);
  const of = (encoding: string) =>
    content(body(bytes, { headers: [['content-encoding', encoding]], complete: false }));
  expect(of('gzip')).toEqual(digest(bytes));
  expect(of('unheard-of')).toEqual(digest(bytes));
});

it('keeps only length and hash of the body of a side request', () => {
  const bytes = Buffer.from('{"email":"alice@example.com"}');
  expect(content(body(bytes, { target: '/backend-api/accounts' }))).toEqual(digest(bytes));
});

it('keeps only length and hash of content that is too long, compressed or not', () => {
  const long = Buffer.alloc(contentLimit + 1, 'x');
  const sha256 = createHash('sha256').update(long).digest('hex');
  const tooLong = { length: long.length, sha256 };
  const expected = { kind: 'bytes', bytes: long.length, sha256 };
  expect(content({ ...body(long), bytes: tooLong } as Observation)).toEqual(expected);
  const carried = { opcode: 'text', payload: tooLong, compressed: false, fragments: 1 } as const;
  expect(content({ type: 'message', exchange: 1, from: 'client', message: carried })).toEqual(expected);
  const encoded = gzipSync(long);
  expect(content(body(encoded, { headers: [['content-encoding', 'gzip']] }))).toEqual(digest(encoded));
});

it('reads server-sent events, including one that is not JSON', () => {
  const bytes = Buffer.from('event: a\ndata: {"email":"x"}\n\ndata: [DONE]\n\n');
  const headers: HeaderList = [['Content-Type', 'text/event-stream; charset=utf-8']];
  expect(content(body(bytes, { headers }))).toMatchObject({
    kind: 'events',
    events: [{ event: 'a', data: { kind: 'object' } }, { event: '' }],
  });
});

it('keeps code and sealed reason of a close message', () => {
  const close = (reason: string) =>
    content(
      request('/responses'),
      message(Buffer.concat([Buffer.from([0x03, 0xf3]), Buffer.from(reason)]), 'close'),
    );
  expect(content(request('/responses'), message(Buffer.alloc(0), 'close'))).toEqual({
    kind: 'close',
    code: null,
  });
  expect(close('')).toEqual({ kind: 'close', code: 1011 });
  expect(close('keepalive')).toMatchObject({ reason: { value: 'keepalive' } });
  expect(close('these are several whole words')).toMatchObject({
    reason: { value: expect.stringMatching(/^<<sealed 29 /) },
  });
});

it('keeps that a head is of HTTP/1.0', () => {
  const old: Observation = {
    type: 'request',
    connection: 1,
    exchange: 1,
    head: { method: 'GET', target: '/responses', version: '1.0', headers: [] },
  };
  expect(record(old, request('/responses'))).toMatchObject([{ version: '1.0' }, {}]);
  expect(record(request('/responses'))[0]).not.toHaveProperty('version');
});

it('records what is particular to HTTP/2, and seals its trailers', () => {
  const http2 = {
    settings: [['ENABLE_PUSH', 0]],
    window: 1,
    pseudo: [':path'],
    authority: 'chatgpt.com',
  } as const;
  const head = { method: 'POST', target: '/responses', version: '2', http2, headers: [] } as const;
  const trailers = [['authorization', 'Bearer t']] as const;
  const sent: Observation = { ...body(Buffer.from('hi')), largestFrame: 16_384, trailers };
  expect(record({ type: 'request', connection: 1, exchange: 1, head }, sent)).toMatchObject([
    { version: '2', http2: { ...http2, authority: { value: 'chatgpt.com' } } },
    { largestFrame: 16_384, trailers: [['authorization', { value: 'Bearer <<secret token 1>>' }]] },
  ]);
});
