/**
 * A proxy that forwards HTTP as it is and websocket messages one by one, with the faults that are named:
 *
 *     node message-proxy.ts PORT UPSTREAM FAULT…
 */

import { flushCompileCache } from 'node:module';
import { connect, createServer, type Socket } from 'node:net';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { HeaderList } from '../../src/wire/headers.ts';
import type { Opcode } from '../../src/wire/message.ts';
import { WebSocketDecoder, WebSocketEncoder } from '../../src/wire/websocket.ts';
import { negotiatedDeflate } from '../../src/wire/websocket-deflate.ts';

/** Sends a message on; to the client or upstream. */
type Send = (text: string | Buffer, opcode?: Opcode) => void;
type Ends = { readonly toClient: Send; readonly upstream: Send; readonly drop: () => void };

/** What a proxy does with the nth message of the client, and with a message of the backend. */
type Fault = {
  readonly request?: (text: string, number: number, ends: Ends) => void;
  readonly event?: (text: string, requests: number, ends: Ends) => void;
  /** Changes the head of each request. */
  readonly head?: (head: string) => string;
  /** Changes the JSON of each request for a response: a message, or the body of a POST. */
  readonly json?: (text: string) => string;
};

function reversed(id: string): string {
  return id.replace(/[0-9a-f]{48}/, (digits) => [...digits].reverse().join(''));
}

/** The headers of a request that 0.130.0 has too, with the names and the version that it sends. */
function asOf130(head: string): string {
  const later =
    /^(?:x-openai-account-routing-override|x-codex-routing-hint|x-openai-internal-[^:]*): .*\r\n/gim;
  return head
    .replaceAll(later, '')
    .replaceAll(/^(session|thread)-id(?=:)/gim, '$1_id')
    .replaceAll(/(?<=^version: |codex_[^/]*\/|; )0\.\d+\.\d+/gim, '0.130.0');
}

/** The session whose turn is sent upstream, its response so far, and the sessions that get the same response. */
let shared: { leader: Ends; events: string[]; followers: Ends[] } | undefined;

const heldBack = new Map<Ends, string>();

const normalClose = Buffer.from([0x03, 0xe8]);

const faults: Readonly<Record<string, Fault>> = {
  none: {},
  'answers the prewarm itself': {
    request: (text, number, { toClient, upstream }) => {
      if (number > 1) return upstream(text);
      for (const type of ['response.created', 'response.completed'])
        toClient(JSON.stringify({ type, response: { id: `resp_${'ab'.repeat(24)}`, output: [] } }));
    },
  },
  'rewrites response ids': {
    event: (text, _, { toClient }) => toClient(text.replaceAll(/resp_[0-9a-f]{48}/g, reversed)),
  },
  'removes response ids': {
    event: (text, _, { toClient }) => toClient(text.replace(/"id":"resp_[0-9a-f]{48}",/, '')),
  },
  'drops the connection within a response': {
    event: (text, _, { toClient, drop }) => (text.includes('output_text.delta') ? drop() : toClient(text)),
  },
  'closes both sides instead of forwarding the turn': {
    request: (text, number, { toClient, upstream }) => {
      if (number === 1) return upstream(text);
      upstream(normalClose, 'close');
      toClient(normalClose, 'close');
    },
  },
  'sends the prewarm twice': {
    request: (text, number, { upstream }) => {
      upstream(text);
      if (number === 1) upstream(text);
    },
  },
  'sends the turn twice': {
    request: (text, number, { upstream }) => {
      upstream(text);
      if (number === 2) upstream(text);
    },
  },
  'loses the words of a response': {
    event: (text, _, { toClient }) => (text.includes('"delta":"') ? undefined : toClient(text)),
  },
  'swaps two events': {
    event: (text, _, ends) => {
      const held = heldBack.get(ends);
      if (text.includes('"response.output_item.added"')) heldBack.set(ends, text);
      else ends.toClient(text);
      if (held === undefined) return;
      heldBack.delete(ends);
      ends.toClient(held);
    },
  },
  'shares one response among all sessions': {
    request: (text, number, ends) => {
      if (number > 1 && shared !== undefined) {
        shared.followers.push(ends);
        for (const event of shared.events) ends.toClient(event);
        return;
      }
      if (number > 1) shared = { leader: ends, events: [], followers: [] };
      ends.upstream(text);
    },
    event: (text, requests, ends) => {
      ends.toClient(text);
      if (requests === 1 || shared?.leader !== ends) return;
      shared.events.push(text);
      for (const { toClient } of shared.followers) toClient(text);
    },
  },
  'renames the session header': {
    head: (head) =>
      head.replace(/^session([-_])id(?=:)/im, (_, dash) => `session${dash === '-' ? '_' : '-'}id`),
  },
  'speaks as 0.130.0': { head: asOf130 },
  'rebuilds responses': {
    event: (text, _, { toClient }) => {
      const { type, response, item, delta } = JSON.parse(text);
      if (type.startsWith('codex.')) return;
      const own = response && { ...response, id: reversed(response.id), usage: undefined };
      toClient(JSON.stringify({ type, response: own, item: item && { ...item, id: 'item_1' }, delta }));
    },
  },
  'loses the events from an error on': {
    event: (text, _, { toClient, drop }) =>
      /^\{"type":"(?:error|response\.failed|response\.incomplete)"/.test(text) ? drop() : toClient(text),
  },
  'adds a header': { head: (head) => head.replace(/\r\n$/, 'x-forwarded-for: 127.0.0.1\r\n\r\n') },
  'drops the cache key': { json: (text) => text.replace(/"prompt_cache_key":"[^"]*",/, '') },
  'sends the literal default tier': {
    json: (text) =>
      text.includes('"service_tier"') ? text : text.replace(/^\{/, '{"service_tier":"default",'),
  },
  'adds instructions': {
    json: (text) =>
      text.includes('"instructions"')
        ? text.replace('"instructions":"', '"instructions":"Answer in rhymes.\\n\\n')
        : text.replace(/^\{/, '{"instructions":"Answer in rhymes.",'),
  },
};

const [port, upstreamUrl = '', ...names] = process.argv.slice(2);
const { hostname, host, port: upstreamPort } = new URL(upstreamUrl);
const unknown = names.find((name) => faults[name] === undefined);
if (unknown !== undefined) throw new RangeError(`there is no fault "${unknown}"`);
const fault: Fault = Object.assign({}, ...names.map((name) => faults[name]));

createServer({ noDelay: true }, (client) => {
  const backend = connect({ host: hostname, port: Number(upstreamPort), noDelay: true });
  const forward = forwarder(client, backend, fault);
  client.on('data', forward.fromClient);
  backend.on('data', forward.fromBackend);
  backend.on('end', () => client.end());
  for (const [a, b] of [
    [client, backend],
    [backend, client],
  ] as const) {
    // What has come by then is still sent: a slow reader must not lose it.
    a.on('error', () => b.destroySoon());
    a.on('close', () => b.destroySoon());
  }
  // A signal ends it, after which nothing is written.
}).listen(Number(port), '127.0.0.1', flushCompileCache);

/** Changes the requests in the bytes of a client that was not upgraded: head and body. Returns what is incomplete. */
function forwardRequests(bytes: Buffer, backend: Socket, { head: changeHead, json }: Fault): Buffer {
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n') + 4;
    if (end < 4) return rest;
    const head = rest.toString('latin1', 0, end).replace(/(host: )[0-9.:]+/i, `$1${host}`);
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    if (rest.length < end + length) return rest;
    const body = rest.subarray(end, end + length);
    const changed = json === undefined || length === 0 ? body : changedBody(head, body, json);
    const sized = head.replace(/^(content-length: *)\d+/im, `$1${changed.length}`);
    backend.write(changeHead?.(sized) ?? sized, 'latin1');
    backend.write(changed);
    rest = rest.subarray(end + length);
  }
}

function changedBody(head: string, body: Buffer, change: (text: string) => string): Buffer {
  if (!/^content-encoding: *zstd/im.test(head)) return Buffer.from(change(body.toString()));
  return zstdCompressSync(Buffer.from(change(zstdDecompressSync(body).toString())));
}

function forwarder(client: Socket, backend: Socket, fault: Fault) {
  const { request, event, json } = fault;
  let sent = Buffer.alloc(0);
  let head = Buffer.alloc(0);
  let requests = 0;
  let socket: ReturnType<typeof upgraded> | undefined;
  return {
    fromClient: (bytes: Buffer) => {
      if (socket === undefined) {
        sent = Buffer.from(forwardRequests(Buffer.concat([sent, bytes]), backend, fault));
        return;
      }
      const { ends, fromClient } = socket;
      for (const decoded of fromClient.push(bytes)) {
        if (decoded.type === 'undecodable') throw new TypeError(decoded.reason);
        const { opcode, payload } = decoded.message;
        if (!Buffer.isBuffer(payload)) throw new RangeError(`a message of ${payload.length} bytes`);
        requests += opcode === 'text' ? 1 : 0;
        const text = payload.toString();
        if (opcode === 'text' && request !== undefined) request(text, requests, ends);
        else if (opcode === 'text' && json !== undefined && text.includes('"model"'))
          ends.upstream(json(text));
        else ends.upstream(payload, opcode);
      }
    },
    fromBackend: (bytes: Buffer) => {
      let rest = bytes;
      if (socket === undefined) {
        head = Buffer.concat([head, bytes]);
        const end = head.indexOf('\r\n\r\n') + 4;
        if (end < 4) return;
        client.write(head.subarray(0, end));
        if (!head.toString('latin1').startsWith('HTTP/1.1 101 ')) {
          client.write(head.subarray(end));
          backend.removeAllListeners('data').pipe(client);
          return;
        }
        socket = upgraded(client, backend, head.toString('latin1', 0, end));
        rest = head.subarray(end);
      }
      const { ends, fromBackend } = socket;
      for (const decoded of fromBackend.push(rest)) {
        if (decoded.type === 'undecodable') throw new TypeError(decoded.reason);
        const { opcode, payload } = decoded.message;
        if (!Buffer.isBuffer(payload)) throw new RangeError(`a message of ${payload.length} bytes`);
        if (opcode === 'text' && event !== undefined) event(payload.toString(), requests, ends);
        else ends.toClient(payload, opcode);
      }
    },
  };
}

function upgraded(client: Socket, backend: Socket, head: string) {
  const headers = head
    .split('\r\n')
    .slice(1)
    .map((line): HeaderList[number] => [
      line.slice(0, line.indexOf(':')),
      line.slice(line.indexOf(':') + 1).trim(),
    ]);
  const deflate = negotiatedDeflate(headers);
  const [toClient, upstream] = [
    new WebSocketEncoder('backend', deflate),
    new WebSocketEncoder('client', deflate),
  ];
  const ends: Ends = {
    toClient: (text, opcode = 'text') => client.write(toClient.encode(opcode, Buffer.from(text))),
    upstream: (text, opcode = 'text') => backend.write(upstream.encode(opcode, Buffer.from(text))),
    drop: () => client.destroy(),
  };
  return {
    ends,
    fromClient: new WebSocketDecoder('client', deflate),
    fromBackend: new WebSocketDecoder('backend', deflate),
  };
}
