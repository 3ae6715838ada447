import { expect, it } from 'vitest';
import { envelopeOf, envelopesOf, isOfFrontEnd } from '../../src/diff/envelope.ts';
import type { Golden } from '../../src/golden/golden.ts';
import type { Mismatch } from '../../src/golden/match/mismatch.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import { printJson } from '../../src/wire/json.ts';
import { exchangeOf, message } from './exchange.ts';

const turn = '{"model":"m","input":["hi"],"tools":[],"instructions":"be","previous_response_id":"r"}';
const prewarm = '{"model":"m","input":[],"generate":false}';

/** What the client said in one exchange, over the websocket. */
const saidIn = (texts: readonly string[], originator?: string) =>
  exchangeOf(
    texts.map((text) => message('client', text)),
    originator,
  );

function golden(...exchanges: Exchange[]): Golden {
  return {
    codex: '0.1.0',
    lane: 'chatgpt',
    scenario: 's',
    runs: 2,
    varied: [],
    variables: new Map(),
    exchanges,
  };
}

function said(exchanges: readonly Exchange[]): string[] {
  return exchanges.flatMap(({ steps }) =>
    steps.flatMap((step) =>
      step.type !== 'response' && step.content.kind === 'json' ? [printJson(step.content.json)] : [],
    ),
  );
}

it('keeps the place of content and whether it is empty, and nothing else', () => {
  expect(said(envelopesOf([saidIn([prewarm, turn])]))).toEqual([
    '{"model":"m","input":"an empty list","generate":false}',
    '{"model":"m","input":"content","tools":"an empty list","instructions":"content","previous_response_id":"r"}',
  ]);
});

it('matches any content', () => {
  expect(said(envelopeOf(golden(saidIn([turn]))).exchanges)).toEqual([
    '{"model":"m","input":"{{content}}","tools":"an empty list","instructions":"{{content}}","previous_response_id":"r"}',
  ]);
});

it('leaves a message without a model unchanged', () => {
  const steering = '{"type":"response.interrupt","input":["x"]}';
  expect(said(envelopesOf([saidIn([steering])]))).toEqual([steering]);
});

it('expects only members that chat requests can have', () => {
  const asked =
    '{"model":"m","instructions":"be","include":[],"reasoning":{"effort":"low","summary":"auto"}}';
  expect(said(envelopesOf([saidIn([asked])], 'chat'))).toEqual([
    '{"model":"m","reasoning":{"effort":"low"}}',
  ]);
  const summary = '{"model":"m","reasoning":{"summary":"auto"}}';
  expect(said(envelopesOf([saidIn([summary])], 'chat'))).toEqual(['{"model":"m"}']);
});

it('expects previous_response_id only in the first chat request of all exchanges', () => {
  const chat = said(envelopesOf([saidIn([prewarm, turn]), saidIn([turn])], 'chat'));
  expect(chat.map((text) => text.includes('previous_response_id'))).toEqual([false, true, false]);
  const responses = said(envelopesOf([saidIn([turn]), saidIn([turn])]));
  expect(responses.every((text) => text.includes('previous_response_id'))).toBe(true);
});

it('recognises differences between front ends', () => {
  const mismatch = (...keys: string[]): Mismatch => ({
    kind: 'recased',
    places: keys.map((key) => ({ exchange: 1, side: 'client', part: 'handshake', path: [key] })),
    names: [],
  });
  const server = golden(saidIn([turn], 'codex_app_server'));
  expect(isOfFrontEnd(server, mismatch('user-agent', 'originator'))).toBe(true);
  expect(isOfFrontEnd(server, mismatch('user-agent', 'session-id'))).toBe(false);
  expect(isOfFrontEnd(golden(saidIn([turn])), mismatch('user-agent'))).toBe(false);
});
