import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { listGoldens, printGolden } from '../../src/golden/file.ts';
import { type Golden, jsonMark } from '../../src/golden/golden.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import { ownTexts, promptsOf } from '../../src/scenario/own-texts.ts';
import { loadScenario, scenarioFolder } from '../../src/scenario/scenario.ts';
import { type JsonNode, member, stringAt } from '../../src/wire/json.ts';
import { committedGolden } from './committed-goldens.ts';

const folder = join(import.meta.dirname, '..', '..', 'traces');
const goldens = listGoldens(folder);

const versions = [
  ...['0.118.0', '0.128.0', '0.130.0', '0.133.0', '0.137.0', '0.140.0'],
  ...['0.145.0', '0.149.0', '0.155.1', '0.160.0', '0.164.0', '0.166.0', '0.167.2', '0.169.0', '0.171.0'],
];

it.each(versions)('has goldens of default and fast at %s', (version) => {
  const names = goldens.filter(({ codex }) => codex === version).map(({ scenario }) => scenario);
  expect(names).toEqual(expect.arrayContaining(['default', 'fast']));
});

it('lists versions from the oldest to the newest', () => {
  expect([...new Set(goldens.map(({ codex }) => codex))]).toEqual(versions);
});

describe.each(goldens)('$codex $lane $scenario', ({ path, scenario }) => {
  let text = '';
  let golden: Golden;
  let printed = '';

  beforeAll(() => {
    text = readFileSync(path, 'utf8');
    golden = committedGolden(path);
    printed = printGolden(golden);
  });

  it('is printed with the same bytes', () => {
    expect(printed).toBe(text);
  });

  it('contains no token, account, path or date', () => {
    // What the scenario file contains is not secret, such as the name of an agent or the time at which a limit ends.
    const scenarioText = readFileSync(join(scenarioFolder, `${scenario}.json`), 'utf8');
    const words = new Set(scenarioText.match(/[\w/]{6,}/g));
    const others = text.replaceAll(/[\w/]{6,}/g, (word) => (words.has(word) ? '' : word));
    expect(others).not.toMatch(/eyJ|\bsk-|\brt-|acct-|user-[0-9a-f]{6}|@[a-z]+\./);
    expect(others).not.toMatch(/\/home\/|\/users\/|\/tmp\/|\/root\/|\.cache|\b[A-Z]:\\\\/i);
    expect(others).not.toMatch(/(?<=[0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-/);
    // The date is part of the name of a protocol; the time is that of the simulated backend.
    const dates = others.match(/\b20\d\d-\d\d-\d\d\b/g) ?? [];
    expect(dates.filter((date) => date !== '2026-02-06')).toEqual([]);
    const times = others.match(/(?<![0-9a-f])1[6-9]\d{8}(?:\d{3})?(?![0-9a-f])/g) ?? [];
    expect(times.filter((time) => time !== '1700000000')).toEqual([]);
  });

  it('contains no sentence that the scenario does not', () => {
    const sentences = text.match(/\p{L}{2,} \p{L}{2,} \p{L}{2,}[^"\\<]*/gu) ?? [];
    const loaded = loadScenario(scenario);
    const own = ownTexts(loaded);
    // A client whose sign-in is refused sends no request.
    const hasRequest = text.includes('"input":');
    for (const prompt of promptsOf(loaded.client))
      expect(text.includes(JSON.stringify(prompt))).toBe(hasRequest);
    expect(sentences.filter((sentence) => !own.some((ownText) => ownText.includes(sentence)))).toEqual([]);
  });

  it('is of a client with its own name, not one of ours', () => {
    expect(printed.split('\n').slice(1).join('\n')).not.toMatch(/codex[-_]parity/i);
    for (const { request } of golden.exchanges) {
      const headers = new Map(request.headers.map(([name, value]) => [name.toLowerCase(), value]));
      expect(['codex_exec', 'codex-tui']).toContain(textOf(headers.get('originator')));
      expect(textOf(headers.get('user-agent')) ?? '').toMatch(
        /^$|^(codex_exec|codex-tui)\/.*\((codex_exec|codex-exec|codex-tui); /,
      );
    }
  });
});

it('uses one session variable in headers, body, client metadata and turn metadata of 0.169.0', async () => {
  const { request, bodies } = await requestsOf('0.169.0', 'fast');
  const header = (name: string) => request.headers.find(([actual]) => actual === name)?.[1];
  const session = '{{session_id}}';
  expect(textOf(header('session-id'))).toBe(session);
  expect(textOf(header('thread-id'))).toBe(session);
  expect(textOf(header('x-client-request-id'))).toBe(session);
  expect(textOf(header('x-codex-window-id'))).toBe(`${session}:0`);
  expect(stringAt(header('x-codex-turn-metadata'), jsonMark, 'session_id')).toBe(session);
  expect(bodies).toHaveLength(2);
  for (const body of bodies) {
    const metadata = member(body, 'client_metadata');
    expect(stringAt(body, 'prompt_cache_key')).toBe(session);
    expect(stringAt(metadata, 'session_id')).toBe(session);
    expect(stringAt(metadata, 'thread_id')).toBe(session);
    expect(stringAt(metadata, 'x-codex-turn-metadata', jsonMark, 'session_id')).toBe(session);
  }
});

it('uses one session variable under the names of 0.118.0', async () => {
  const { request, bodies } = await requestsOf('0.118.0', 'default');
  expect(request.headers.find(([name]) => name === 'session_id')?.[1]).toEqual({
    kind: 'string',
    value: '{{session_id}}',
  });
  expect(request.headers.map(([name]) => name)).not.toContain('session-id');
  expect(bodies.map((body) => stringAt(body, 'prompt_cache_key'))).toEqual([
    '{{session_id}}',
    '{{session_id}}',
  ]);
});

it.each(['0.118.0', '0.169.0'])(
  'has the tier "priority" on every request of fast and none on default in %s',
  async (codex) => {
    const fast = await requestsOf(codex, 'fast');
    const plain = await requestsOf(codex, 'default');
    expect(fast.bodies.map((body) => stringAt(body, 'service_tier'))).toEqual(['priority', 'priority']);
    expect(plain.bodies.map((body) => member(body, 'service_tier'))).toEqual([undefined, undefined]);
  },
);

function textOf(node: JsonNode | undefined): string | undefined {
  return node?.kind === 'string' ? node.value : undefined;
}

async function requestsOf(
  codex: string,
  scenario: string,
): Promise<{ request: Exchange['request']; bodies: JsonNode[] }> {
  const golden = committedGolden(join(folder, codex, 'chatgpt', `${scenario}.golden.jsonl`));
  const [exchange] = golden.exchanges;
  if (exchange === undefined) throw new Error('a golden without an exchange');
  const bodies = exchange.steps.flatMap((step) =>
    step.type === 'message' && step.from === 'client' && step.content.kind === 'json'
      ? [step.content.json]
      : [],
  );
  return { request: exchange.request, bodies };
}
