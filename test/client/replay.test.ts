import { createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type ReplayOutcome, replay } from '../../src/client/replay/replay.ts';
import { neutralityFindings } from '../../src/diff/neutrality/neutrality.ts';
import { parityFindings } from '../../src/diff/parity.ts';
import type { Golden, Variable } from '../../src/golden/golden.ts';
import { type Exchange, exchangesOf, type Step } from '../../src/golden/trace/exchanges.ts';
import { placeText } from '../../src/report/values.ts';
import { startReverseTap } from '../../src/tap/reverse.ts';
import { Sealer } from '../../src/trace/seal.ts';
import type { Content, MessageEvent, TraceEvent } from '../../src/trace/trace-event.ts';
import { TraceRecorder } from '../../src/trace/trace-recorder.ts';
import { jsonString, toNode } from '../../src/wire/json.ts';
import { compressZstd } from '../../src/wire/zstd.ts';
import { exchangeOf, message, sampleGolden } from '../golden/sample-run.ts';
import { listening } from '../tap/local.ts';
import { backendOf, type ReceivedRequest } from './exchange-backend.ts';

const created = message('backend', { type: 'response.created', n: 1 });
const delta = message('backend', { type: 'response.delta', n: 2 });
const completed = message('backend', { type: 'response.completed', n: 3 });
const create = message('client', { type: 'response.create', input: [] });
const interrupt = message('client', { type: 'response.interrupt', mode: 'discard' });
const failure = message('backend', { type: 'error', status: 500, error: { code: 'oops' } });

function upgrade(messages: readonly MessageEvent[], end?: Exchange['end']): Exchange {
  return exchange('GET', [response(101), ...messages.map(uncompressed)], end);
}

function refused(status: number): Exchange {
  return exchange('GET', [response(status), body('backend', { error: { code: 'refused' } })], 'backend');
}

function post(...steps: readonly Step[]): Exchange {
  return exchange('POST', [body('client', { model: 'm', input: ['{{{{}} braces'] }), ...steps]);
}

function exchange(method: string, steps: readonly Step[], end?: Exchange['end']): Exchange {
  const { connection, request } = exchangeOf();
  const upgrading = {
    Host: '{{authority}}',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'X-Other-Case': 'kept',
  };
  const posting = {
    'X-Other-Case': 'kept',
    'content-encoding': 'zstd',
    'content-type': 'application/json',
    host: '{{authority}}',
    'content-length': '{{content_length}}',
  };
  const headers = Object.entries(method === 'GET' ? upgrading : posting);
  return {
    connection,
    request: {
      ...request,
      method,
      target: jsonString('/backend-api/codex/responses'),
      headers: headers.map(([name, value]) => [name, jsonString(value)]),
    },
    steps,
    ...(end === undefined ? {} : { end }),
  };
}

function response(status: number, headers: Readonly<Record<string, string>> = {}): Step {
  const pairs = Object.entries(headers).map(([name, value]) => [name, jsonString(value)] as const);
  return { type: 'response', exchange: 1, status, headers: pairs };
}

function body(from: 'client' | 'backend', json: unknown): Step {
  return {
    type: 'body',
    exchange: 1,
    from,
    complete: true,
    content: { kind: 'json', json: toNode(json), spaced: false },
  };
}

function streamBody(complete: boolean, ...events: readonly MessageEvent[]): Step {
  const list = events.flatMap(({ content }) =>
    content.kind === 'json' ? [{ event: 'any', data: content.json }] : [],
  );
  return { type: 'body', exchange: 1, from: 'backend', complete, content: { kind: 'events', events: list } };
}

/** The message as a server sends it that does not compress. */
function uncompressed(event: MessageEvent): MessageEvent {
  return { ...event, compressed: false };
}

function sent(opcode: MessageEvent['opcode'], content: Content): MessageEvent {
  return { ...created, opcode, content };
}

function goldenOf(exchanges: readonly Exchange[], variables: readonly Variable[] = []): Golden {
  const length: Variable = {
    name: 'content_length',
    kind: 'integer',
    number: false,
    distinct: undefined,
    lifetime: undefined,
  };
  return {
    ...sampleGolden(),
    variables: new Map([length, ...variables].map((variable) => [variable.name, variable])),
    exchanges: exchanges.map((exchange, at) => ({
      ...exchange,
      request: { ...exchange.request, exchange: at + 1 },
    })),
  };
}

type Played = { readonly outcome: ReplayOutcome; readonly events: TraceEvent[]; readonly findings: string[] };

/** Replays a golden against a server, and compares the traffic in front of the server with the golden. */
async function played(golden: Golden, port: number): Promise<Played> {
  const events: TraceEvent[] = [];
  const recorder = new TraceRecorder(new Sealer({ ownTexts: ['hello', '{{ braces'], secrets: {} }), (event) =>
    events.push(event),
  );
  const tap = await startReverseTap({ upstream: { host: '127.0.0.1', port }, observe: recorder.observe });
  const url = new URL('/backend-api/codex', tap.url);
  const outcome = await replay(golden, url, new AbortController().signal);
  await tap.close();
  const front = exchangesOf(events);
  const all = [
    ...parityFindings(golden, front),
    ...neutralityFindings(front, golden.exchanges).filter(
      ({ comparison }) => comparison === 'response neutrality',
    ),
  ];
  const findings = all.map(({ comparison, kind, places: [place] }) =>
    [comparison, place === undefined ? '' : placeText(place), kind].join(': '),
  );
  return { outcome, events, findings };
}

async function playedByItself(
  exchanges: readonly Exchange[],
): Promise<Played & { requests: ReceivedRequest[] }> {
  const { port, requests } = await backendOf(exchanges);
  return { ...(await played(goldenOf(exchanges), port)), requests };
}

const eventStream = response(200, { 'content-type': 'text/event-stream' });

it.each([
  { shape: 'a turn', exchanges: [upgrade([create, created, completed, create, created, completed])] },
  { shape: 'a turn over HTTP', exchanges: [post(eventStream, streamBody(true, created, completed))] },
  {
    shape: 'a refused upgrade and then HTTP',
    exchanges: [
      refused(426),
      post(eventStream, streamBody(true, created)),
      post(eventStream, streamBody(true, created)),
    ],
  },
  {
    shape: 'upgrades refused again and again',
    exchanges: [refused(500), refused(403), refused(404), upgrade([create, completed])],
  },
  {
    shape: 'a websocket that the backend closes, and the next',
    exchanges: [
      upgrade([create, created, sent('close', { kind: 'close', code: 1011 })], 'backend'),
      upgrade([create, created, completed]),
    ],
  },
  {
    shape: 'a socket that the backend closes without a code, and the next',
    exchanges: [
      upgrade([create, created, sent('close', { kind: 'close', code: null })], 'backend'),
      upgrade([create, completed]),
    ],
  },
  {
    shape: 'a socket that just ends, and the next',
    exchanges: [upgrade([create, created], 'backend'), upgrade([create, completed])],
  },
  {
    shape: 'a websocket that the client drops in the middle of a response',
    exchanges: [upgrade([create, created, delta], 'client'), upgrade([create, completed])],
  },
  {
    shape: 'parallel websockets',
    exchanges: [upgrade([create, completed, create, completed]), upgrade([create, completed])],
  },
  {
    shape: 'an interrupt in the middle of a response',
    exchanges: [upgrade([create, created, interrupt, create, delta, completed])],
  },
  {
    shape: 'an error frame',
    exchanges: [upgrade([create, failure], 'client'), upgrade([create, completed])],
  },
  {
    shape: 'an HTTP error',
    exchanges: [post(response(429, { 'retry-after': '7' }), body('backend', { error: { code: 'rate' } }))],
  },
  {
    shape: 'a response that is cut off, and the next',
    exchanges: [
      { ...post(eventStream, streamBody(false, created, delta)), end: 'backend' as const },
      post(eventStream, streamBody(true, created, completed)),
    ],
  },
  {
    shape: 'a prewarm without a response',
    exchanges: [upgrade([create], 'client'), upgrade([create, completed])],
  },
  {
    shape: 'noise that a client ignores',
    exchanges: [
      upgrade([create, created, sent('text', { kind: 'text', text: jsonString('hello') }), completed]),
      upgrade([create, sent('text', { kind: 'text', text: jsonString('hello') })]),
    ],
  },
])('plays $shape', async ({ exchanges }) => {
  const { outcome, findings } = await playedByItself(exchanges);
  expect(outcome).toEqual({ finished: true });
  expect(findings).toEqual([]);
});

it('ends when it is aborted, without another connection', async () => {
  const stop = new AbortController();
  let connections = 0;
  const port = await listening(
    createServer((socket) => {
      connections += 1;
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n', () => stop.abort());
      });
    }),
  );
  const exchanges = [
    { ...post(eventStream, streamBody(false, created)), end: 'backend' as const },
    post(eventStream, streamBody(true, created)),
  ];
  const outcome = await replay(goldenOf(exchanges), new URL(`http://127.0.0.1:${port}`), stop.signal);
  expect(outcome.finished).toBe(false);
  expect(connections).toBe(1);
});

it('sends headers and body of a POST as the golden has them', async () => {
  const { requests } = await playedByItself([post(eventStream, streamBody(true, completed))]);
  const packed = await compressZstd(Buffer.from('{"model":"m","input":["{{ braces"]}'));
  expect(requests[0]?.body).toEqual(packed);
  expect(requests[0]?.headers.map(([name]) => name)).toEqual([
    ...['X-Other-Case', 'content-encoding', 'content-type', 'host', 'content-length'],
  ]);
  expect(requests[0]?.headers.at(-1)).toEqual(['content-length', String(packed.length)]);
});

it.each([
  { end: undefined, order: ['request 1', 'request 2'] },
  { end: 'client' as const, order: ['request 1', 'end 1 by client', 'request 2'] },
])('keeps a connection open until the golden ends it ($end)', async ({ end, order }) => {
  const { events } = await playedByItself([upgrade([create, created], end), upgrade([create, completed])]);
  const seen = events.flatMap((event) => {
    if (event.type === 'request') return [`request ${event.connection}`];
    return event.type === 'end' ? [`end ${event.connection} by ${event.by}`] : [];
  });
  expect(seen.slice(0, seen.indexOf('request 2') + 1)).toEqual(order);
});

it('goes on as soon as the end of a connection is forwarded', async () => {
  const exchanges = [upgrade([create, created], 'client'), upgrade([create, completed])];
  const { port, requests } = await backendOf(exchanges);
  const forwarded = Promise.withResolvers<void>();
  const waits: number[] = [];
  const replayed = replay(
    goldenOf(exchanges),
    new URL(`http://127.0.0.1:${port}`),
    new AbortController().signal,
    {
      forwarded: (most) => {
        waits.push(most, requests.length);
        return forwarded.promise;
      },
    },
  );
  await expect.poll(() => waits).toEqual([250, 1]);
  await delay(300);
  expect(requests.length).toBe(1);
  forwarded.resolve();
  expect(await replayed).toEqual({ finished: true });
  expect(requests.length).toBe(2);
});

it('sends the ids that the backend gave it, and keeps its own', async () => {
  const variables: Variable[] = [
    { name: 'resp_id', kind: 'hex', number: false, distinct: undefined, lifetime: undefined },
    { name: 'key', kind: 'hex', number: false, distinct: undefined, lifetime: undefined },
  ];
  const conversation = (id: string, key: string, echo: string) => [
    upgrade([
      message('client', { type: 'response.create', key }),
      message('backend', { type: 'response.completed', id, key: echo }),
      message('client', { type: 'response.create', previous: id, key }),
      completed,
    ]),
  ];
  const id = '0123456789abcdef';
  const { port } = await backendOf(conversation(id, '', 'fedcba9876543210'));
  const golden = goldenOf(conversation('{{resp_id}}', '{{key}}', '{{key}}'), variables);
  const { events } = await played(golden, port);
  const sentMessages = events.flatMap((event) =>
    event.type === 'message' && event.from === 'client' && event.content.kind === 'json'
      ? [JSON.stringify(event.content.json)]
      : [],
  );
  expect(sentMessages[1]).toContain(id);
  expect(sentMessages[1]).not.toContain('fedcba9876543210');
});

it.each([
  {
    subject: 'accepts an upgrade that was refused',
    expected: [refused(426)],
    actual: [upgrade([])],
    reason: 'the subject responded to the upgrade with 101 instead of 426',
  },
  {
    subject: 'refuses an upgrade that was accepted',
    expected: [upgrade([create, completed])],
    actual: [refused(404)],
    reason: 'the subject responded to the upgrade with 404 instead of 101',
  },
  {
    subject: 'responds to a POST with an error',
    expected: [post(eventStream, streamBody(true, completed))],
    actual: [post(response(502))],
    reason: 'the subject responded to the POST with 502 instead of 200',
  },
  {
    subject: 'closes too early',
    expected: [upgrade([create, created, completed])],
    actual: [upgrade([create, created, sent('close', { kind: 'close', code: 1000 })])],
    reason: 'the connection ended before response.completed',
  },
])('returns a reason when a subject $subject', async ({ expected, actual, reason }) => {
  const { port } = await backendOf(actual);
  const { outcome } = await played(goldenOf(expected), port);
  expect(outcome).toEqual({ finished: false, reason });
});

it.each([
  {
    subject: 'disconnects',
    serve: (socket: Socket) => void socket.end(),
    reason: 'the subject ended the connection without a response to the upgrade',
  },
  {
    subject: 'speaks another protocol',
    serve: (socket: Socket) => void socket.write('SSH-2.0-OpenSSH_9.7\r\n'),
    reason: "the subject's response to the upgrade is neither HTTP nor websocket: the bytes are not HTTP/1.1",
  },
])('returns a reason when a subject $subject', async ({ serve, reason }) => {
  const port = await listening(
    createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => serve(socket));
    }),
  );
  const { outcome } = await played(goldenOf([upgrade([create, completed])]), port);
  expect(outcome).toEqual({ finished: false, reason });
});

it('sends the key, the headers and the names of models that the settings of the client have', async () => {
  const metadata = JSON.stringify({ model: 'gpt-5.sol', other: 'gpt-5.solid' });
  const content = {
    model: 'gpt-5.sol',
    client_metadata: { turn: metadata },
    input: ['gpt-5.sol in a prompt'],
  };
  const { request, ...rest } = exchange('POST', [
    body('client', content),
    response(200),
    body('backend', {}),
  ]);
  const headers = [
    ...request.headers.filter(([name]) => name !== 'content-encoding'),
    ['Authorization', jsonString('Bearer a-token')],
    ['x-codex-routing-hint', jsonString('model=gpt-5.sol;tier=priority')],
    ['x-turn', jsonString(metadata)],
  ] as const;
  const golden = goldenOf([{ ...rest, request: { ...request, headers } }]);
  const { port, requests } = await backendOf(golden.exchanges);
  const url = new URL(`http://127.0.0.1:${port}/v1`);
  const settings = { key: 'the-key', headers: [['x-team', 'one']], models: { '*': 'codex/*' } } as const;
  const outcome = await replay(golden, url, new AbortController().signal, { settings });
  expect(outcome).toEqual({ finished: true });
  const renamed = { model: 'codex/gpt-5.sol', other: 'gpt-5.solid' };
  const received = new Map(requests[0]?.headers);
  expect(received.get('Authorization')).toBe('Bearer the-key');
  expect(received.get('x-team')).toBe('one');
  expect(received.get('x-codex-routing-hint')).toBe('model=codex/gpt-5.sol;tier=priority');
  expect(JSON.parse(received.get('x-turn') ?? '')).toEqual(renamed);
  const { client_metadata: sentMetadata, ...sentBody } = JSON.parse(String(requests[0]?.body));
  expect(sentBody).toEqual({ model: 'codex/gpt-5.sol', input: ['gpt-5.sol in a prompt'] });
  expect(JSON.parse(sentMetadata.turn)).toEqual(renamed);
});
