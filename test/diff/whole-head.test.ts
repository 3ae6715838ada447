import { join } from 'node:path';
import { expect, it } from 'vitest';
import { neutralityFindings } from '../../src/diff/neutrality/neutrality.ts';
import { envelopeFindings, parityFindings } from '../../src/diff/parity.ts';
import type { Exchange, Step } from '../../src/golden/trace/exchanges.ts';
import type { RequestEvent } from '../../src/trace/trace-event.ts';
import { jsonString } from '../../src/wire/json.ts';
import { committedGolden } from '../golden/committed-goldens.ts';
import { fillGolden } from '../golden/fill-golden.ts';
import { line } from './rendered.ts';

const golden = committedGolden(
  join(import.meta.dirname, '..', '..', 'traces', '0.169.0', 'chatgpt', 'default.golden.jsonl'),
);
const [official] = fillGolden(golden, 7);

function session(change: Partial<RequestEvent> = {}, steps?: readonly Step[]): Exchange {
  if (official === undefined) throw new RangeError('the golden has no exchange');
  return { ...official, request: { ...official.request, ...change }, steps: steps ?? official.steps };
}

function withUserAgent(text: string): Exchange {
  const { headers } = session().request;
  return session({
    headers: headers.map(([name, value]) => [name, name === 'user-agent' ? jsonString(text) : value]),
  });
}

/** With the reason of the backend's last message, which is a close, or without a close. */
function closing(reason?: string): Exchange {
  const text = reason === undefined ? {} : { reason: jsonString(reason) };
  const close: Step = {
    ...{ type: 'message', exchange: 1, from: 'backend', opcode: 'close', compressed: false, fragments: 1 },
    content: { kind: 'close', code: 1011, ...text },
  };
  return { ...session({}, [...session().steps, close]), end: 'backend' };
}

it.each([
  '(Debian 12.0.0; x86_64) xterm-256color',
  '(Mac OS 15.6.1; arm64) Apple_Terminal/455.1',
  '(Windows 10.0.26100; x86_64) vscode/1.104.2',
  '(Ubuntu 24.4.0; x86_64) tmux/3.3a',
])('accepts the host and terminal "%s" in a user agent', (host) => {
  const found = parityFindings(golden, [withUserAgent(`codex_exec/0.169.0 ${host} (codex_exec; 0.169.0)`)]);
  expect(found.map(line)).toEqual([]);
});

it.each([
  '(Debian 12.0.0; x86_64) my-proxy/1.0 xterm-256color',
  '(Debian 12.0.0; x86_64) xterm-256color my-proxy/1.0',
  '(Debian 12.0.0; x86_64) (my-proxy) xterm-256color',
  '(Debian 12.0.0; x86_64) xterm-256color (my-proxy)',
  '(Debian 12.0.0 (my-proxy); x86_64) xterm-256color',
  '(Debian 12.0.0; x86_64) xterm-256color (codex_exec; 0.169.0) my-proxy/1.0',
])('finds what is inserted in the user agent "%s"', (host) => {
  const found = parityFindings(golden, [withUserAgent(`codex_exec/0.169.0 ${host} (codex_exec; 0.169.0)`)]);
  expect(found.map(({ kind, places }) => [kind, places[0]?.path])).toEqual([['changed', ['user-agent']]]);
});

it('finds a request over HTTP/1.0', () => {
  expect(parityFindings(golden, [session({ version: '1.0' })]).map(line)).toEqual([
    'changed | handshake › HTTP version | "1.1" | "1.0"',
  ]);
});

it('finds a response over HTTP/1.0', () => {
  const old = session().steps.map(
    (step): Step => (step.type === 'response' ? { ...step, version: '1.0' } : step),
  );
  expect(neutralityFindings([session({}, old)], [session()]).map(line)).toEqual([
    'added | response › HTTP version |  | "1.0"',
  ]);
});

it('finds a changed, lost or added reason of a close', () => {
  const found = (front: Exchange, back: Exchange) => neutralityFindings([front], [back]).map(line);
  expect(found(closing('keepalive'), closing('keepalive'))).toEqual([]);
  expect(found(closing('bye'), closing('keepalive'))).toEqual([
    'changed | end of the response | close 1011 keepalive | close 1011 bye',
  ]);
  expect(found(closing(), closing('keepalive'))).toEqual([
    'changed | end of the response | close 1011 keepalive | close 1011',
  ]);
  expect(found(closing('bye'), closing())).toEqual([
    'changed | end of the response | close 1011 | close 1011 bye',
  ]);
});

it('finds white space in requests for any client', () => {
  const spaced = session().steps.map((step): Step => {
    if (step.type !== 'message' || step.from !== 'client' || step.content.kind !== 'json') return step;
    return { ...step, content: { ...step.content, spaced: true } };
  });
  const expected = [
    'respelled | client message 1, client message 2 | JSON without white space | JSON with white space',
  ];
  expect(parityFindings(golden, [session({}, spaced)]).map(line)).toEqual(expected);
  expect(envelopeFindings(golden, [session({}, spaced)], 'responses').map(line)).toEqual(expected);
  expect(envelopeFindings(golden, [session({}, spaced)], 'chat').map(line)).toContain(expected[0]);
});
