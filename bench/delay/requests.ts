import { once } from 'node:events';
import { connect } from 'node:net';
import { zstdCompressSync } from 'node:zlib';
import type { HeaderList } from '../../src/wire/headers.ts';
import { encodeFrame, newMask } from '../../src/wire/websocket-frame.ts';

/** A request whose effect on others is measured, as bytes on a new connection. */
export type SweptRequest = {
  /** What is large in it. Of each group, the report has the slowest. */
  readonly group: string;
  /** The text of a header, or the API for a body. */
  readonly kind: string;
  readonly bytes: number;
  /** Sends it. Resolves when the response is complete, whatever its status. */
  readonly send: (port: number) => Promise<void>;
};

const session = '01a20000-0000-7000-8000-000000000001';
const official: HeaderList = [
  ['originator', 'codex_exec'],
  ['user-agent', 'codex_exec/0.169.0 (Linux; x86_64) xterm (codex_exec; 0.169.0)'],
  ['version', '0.169.0'],
  ['x-codex-turn-metadata', '{}'],
  ['x-codex-window-id', `${session}:0`],
  ['x-codex-routing-hint', 'model=m'],
  ['session-id', session],
  ['thread-id', session],
];
const upgrade: HeaderList = [
  ['connection', 'Upgrade'],
  ['upgrade', 'websocket'],
  ['sec-websocket-version', '13'],
  ['sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ=='],
];

const user = (text: string) => ({ type: 'message', role: 'user', content: [{ type: 'input_text', text }] });
const small = { model: 'm', input: [user('hello')], stream: true };

/** Headers that the proxy reads, compares with patterns of the golden, keeps for the session, or forwards. */
const headerNames = [
  ...official.map(([name]) => name),
  ...['session_id', 'conversation-id', 'conversation_id', 'x-client-request-id', 'x-codex-turn-state'],
  ...['x-codex-beta-features', 'x-openai-subagent', 'authorization', 'x-api-key', 'content-type', 'accept'],
  ...['content-encoding', 'cookie', 'host', 'origin', 'sec-websocket-protocol', 'sec-websocket-extensions'],
];

/** Texts that are hard to divide: by the literals of the golden's headers, by JSON, by digits, by lists. */
const units = ['x', '(', '; ', ' (a; b) ', '0', '"{', 'codex_exec/0.169.0 (', '00000000-', ', ', '\\"', 'é'];

/** The server takes heads of up to 256 KiB. */
const lengths = [4000, 60_000, 250_000];

const surfaces = [
  { name: 'official POST', method: 'POST', path: '/v1/responses', headers: official },
  { name: 'official upgrade', method: 'GET', path: '/v1/responses', headers: [...official, ...upgrade] },
  { name: 'POST', method: 'POST', path: '/v1/responses', headers: [] },
  { name: 'upgrade', method: 'GET', path: '/v1/responses', headers: upgrade },
  { name: 'forwarded GET', method: 'GET', path: '/backend-api/wham/usage', headers: official },
] as const;

/** Requests that have one long header each. */
export function* longHeaders(): Generator<SweptRequest> {
  for (const { name: surface, method, path, headers } of surfaces) {
    for (const name of headerNames) {
      for (const unit of units) {
        for (const length of lengths) {
          const text = unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
          // The golden's pattern is not tried with another start and end.
          const value = name === 'user-agent' ? `codex_exec/0.169.0 (${text} (codex_exec; 0.169.0)` : text;
          const others = headers.filter(([other]) => other !== name);
          const body = method === 'POST' ? Buffer.from(JSON.stringify(small)) : undefined;
          yield {
            group: `${surface}, ${name}`,
            kind: JSON.stringify(unit),
            bytes: length,
            send: (port) => exchange(port, head({ method, path, headers: [...others, [name, value]] }, body)),
          };
        }
      }
    }
  }
}

/** Requests of `bytes` bytes, to every API, of shapes that take long to read, to sort or to write. */
export function* largeBodies(bytes: number): Generator<SweptRequest> {
  for (const [group, json] of bodyKinds(bytes)) {
    const plain = Buffer.from(json);
    const packed = zstdCompressSync(plain);
    for (const [kind, path, headers] of posts) {
      const body = headers.some(([name]) => name === 'content-encoding') ? packed : plain;
      const request = head({ method: 'POST', path, headers }, body);
      yield { group, kind, bytes: plain.length, send: (port) => exchange(port, request) };
    }
    const message = Buffer.from(`{"type":"response.create",${json.trimStart().slice(1)}`);
    const frame = encodeFrame({ opcode: 'text', payload: message, mask: newMask() });
    for (const [kind, headers] of websockets) {
      const offer = head({ method: 'GET', path: '/v1/responses', headers: [...headers, ...upgrade] });
      yield { group, kind, bytes: message.length, send: (port) => overWebSocket(port, offer, frame) };
    }
  }
}

const posts: readonly (readonly [api: string, path: string, headers: HeaderList])[] = [
  ['official POST', '/v1/responses', official],
  ['official POST, zstd', '/v1/responses', [...official, ['content-encoding', 'zstd']]],
  ['POST', '/v1/responses', []],
  ['chat', '/v1/chat/completions', []],
  ['compact', '/v1/responses/compact', []],
  ['forwarded POST', '/backend-api/files', official],
];

const websockets: readonly (readonly [api: string, headers: HeaderList])[] = [
  ['official websocket', official],
  ['websocket', []],
];

/** Requests of about `bytes` bytes as JSON texts. Each is one of the Responses API and of chat at once. */
export function* bodyKinds(bytes: number): Generator<readonly [kind: string, json: string]> {
  const request = (input: readonly unknown[], more: object = {}) =>
    JSON.stringify({ ...small, input, messages: [{ role: 'user', content: 'hello' }], ...more });
  const repeat = <T>(item: T): T[] => Array(Math.ceil(bytes / JSON.stringify(item).length)).fill(item);
  const long = (unit: string) => unit.repeat(Math.ceil(bytes / (JSON.stringify(unit).length - 2)));
  const both = (text: string) =>
    JSON.stringify({ ...small, input: [user(text)], messages: [{ role: 'user', content: text }] });
  yield [
    'a usual conversation',
    request(
      Array(Math.ceil(bytes / 9000))
        .fill(usualItems)
        .flat(),
    ),
  ];
  yield ['one text', request([user(long('word '))])];
  yield [
    'one text of chat',
    JSON.stringify({ model: 'm', messages: [{ role: 'user', content: long('word ') }] }),
  ];
  yield ['one text, not Latin', request([user(long('слово '))])];
  yield ['one text of quotes', request([user(long('"'))])];
  yield ['one text of backslashes', request([user(long('\\'))])];
  yield ['text as input', JSON.stringify({ ...small, input: long('word '), messages: [] })];
  yield ['short items', request(repeat(user('hello')))];
  yield [
    'short messages',
    JSON.stringify({ model: 'm', messages: repeat({ role: 'user', content: 'hello' }) }),
  ];
  yield ['system items', request(repeat({ type: 'message', role: 'system', content: 'hello' }))];
  yield ['item references', request(repeat({ type: 'item_reference', id: 'msg_1' }))];
  yield ['tool outputs', request(repeat({ type: 'function_call_output', call_id: 'c', output: 'hello' }))];
  yield ['with white space', JSON.stringify(JSON.parse(request(repeat(user('hello')))), null, 2)];
  yield [
    'one text, with white space',
    JSON.stringify(JSON.parse(both(long('word ').slice(0, bytes / 2))), null, 2),
  ];
  yield ['nested', `${request([]).slice(0, -1)},"tools":[${'['.repeat(bytes / 2)}${']'.repeat(bytes / 2)}]}`];
  yield ['unknown members', request([], membersOf(bytes, 'm'))];
  yield [
    'one member again and again',
    `{"model":"m","stream":true,"input":[]${',"temperature":1'.repeat(bytes / 16)}}`,
  ];
  yield ['client metadata of many members', request([], { client_metadata: membersOf(bytes, 'm') })];
  yield ['long client metadata', request([], { client_metadata: { 'x-codex-turn-metadata': long('"') } })];
  yield [
    'long turn metadata',
    request([], { client_metadata: { 'x-codex-turn-metadata': JSON.stringify(membersOf(bytes / 2, 'm')) } }),
  ];
  yield ['long model', request([], { model: long('\n') })];
  yield ['long key', request([], { prompt_cache_key: long('k') })];
  yield ['long tier', request([], { service_tier: long('t') })];
  yield ['instructions', request([], { instructions: long('word ') })];
  yield [
    'tools',
    request([], {
      tools: repeat({
        type: 'function',
        name: 'f',
        parameters: { type: 'object', properties: { a: { type: 'string' } } },
      }),
    }),
  ];
  yield ['include', request([], { include: repeat('reasoning.encrypted_content') })];
  yield ['stop', request([], { stop: repeat('x') })];
  yield ['numbers', request([], { metadata: repeat(1) })];
  yield ['not JSON', `{"model":"m","input":[${'"x",'.repeat(bytes / 4)}`];
}

/** A message, a tool call and its output: 9 KB of JSON. */
const usualItems = [
  user('Look at the file, and say what is wrong with it.'),
  {
    type: 'function_call',
    name: 'shell',
    call_id: 'call_1',
    arguments: '{"command":["bash","-lc","cat a.ts"]}',
  },
  {
    type: 'function_call_output',
    call_id: 'call_1',
    output: '  const name = "a text"; // what it is for\n'.repeat(190),
  },
];

function membersOf(bytes: number, prefix: string): Record<string, string> {
  return Object.fromEntries(Array.from({ length: Math.ceil(bytes / 13) }, (_, n) => [`${prefix}${n}`, 'x']));
}

type RequestHead = { readonly method: string; readonly path: string; readonly headers: HeaderList };

function head({ method, path, headers }: RequestHead, body?: Buffer): Buffer {
  const own: HeaderList = [
    ...(headers.some(([name]) => name === 'host') ? [] : [['host', '127.0.0.1'] as const]),
    ...(headers.some(([name]) => name === 'connection') ? [] : [['connection', 'close'] as const]),
    ...(body === undefined ? [] : [['content-length', String(body.length)] as const]),
  ];
  const lines = [...own, ...headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const text = Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines}\r\n`, 'latin1');
  return body === undefined ? text : Buffer.concat([text, body]);
}

/** Milliseconds after which a request is abandoned. */
const longestExchange = 60_000;

/** Sends bytes on a new connection. Resolves when the server has closed it, or has accepted an upgrade. */
async function exchange(port: number, bytes: Buffer): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  socket.on('error', () => {});
  socket.setTimeout(longestExchange, () => socket.destroy());
  socket.on('data', (data) => {
    if (data.toString('latin1', 0, 12) === 'HTTP/1.1 101') socket.destroy();
  });
  socket.write(bytes);
  await once(socket, 'close');
}

/** Opens a websocket and sends a message. Resolves after the last event of the response. */
async function overWebSocket(port: number, offer: Buffer, frame: Buffer): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  socket.on('error', () => {});
  socket.setTimeout(longestExchange, () => socket.destroy());
  let received = '';
  let sent = false;
  socket.on('data', (data) => {
    received = received.slice(-64) + data.toString('latin1');
    if (!sent && received.includes('HTTP/1.1 101')) {
      sent = true;
      socket.write(frame);
    }
    if (/"type":"(?:response\.(?:completed|failed)|error)"/.test(received)) socket.destroy();
  });
  socket.write(offer);
  await once(socket, 'close');
}
