import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { withPayloads } from '../scripts/mutations/sites.ts';
import type { Finding } from '../src/diff/finding.ts';
import { transportIn } from '../src/diff/fold.ts';
import { parityFindings } from '../src/diff/parity.ts';
import { verdictOf } from '../src/diff/verdict.ts';
import { jsonValue, type Place } from '../src/golden/match/mismatch.ts';
import { selectGoldens } from '../src/golden/select.ts';
import { defaultLimits } from '../src/proxy/limits.ts';
import { firstScreen } from '../src/report/first-screen.ts';
import type { ReportedScenario } from '../src/report/report.ts';
import { findingText } from '../src/report/text.ts';
import { jsonString } from '../src/wire/json.ts';
import { committedGolden } from './golden/committed-goldens.ts';
import { fillGolden } from './golden/fill-golden.ts';

const repository = join(import.meta.dirname, '..');

const documents = ['.', 'docs', 'docs/decisions', '.github'].flatMap((folder) =>
  readdirSync(join(repository, folder))
    .filter((file) => file.endsWith('.md'))
    .map((file) => join(folder, file)),
);

it.each(documents)('%s names only files that exist', (document) => {
  const paths = [
    ...read(document).matchAll(/`((?:src|test|bench|scripts|fixtures|traces|docs)\/[\w./-]+)`/g),
  ];
  const links = [...read(document).matchAll(/\]\((?!https?:|#)([^)#]+)/g)];
  const named = [
    ...paths.map(([, path = '']) => path),
    ...links.map(([, path = '']) => join(dirname(document), path)),
  ];
  expect(named.filter((path) => !existsSync(join(repository, path)))).toEqual([]);
});

/** Code that a document quotes, each time behind a line that ends with the path of the file. */
const quotes = documents.flatMap((document) =>
  [...read(document).matchAll(/`([\w./-]+)`:\n\n```\w+\n([^`]*)```/g)].map(
    ([, file = '', code = '']) => [document, file, code] as const,
  ),
);

it.each(quotes)('%s quotes %s as it is', (_, file, code) => {
  expect(withoutSpace(read(file))).toContain(withoutSpace(code));
});

it('names every limit of the proxy that can be set in docs/proxy.md', () => {
  const [, section = ''] = /\n## Limits\n(.*?)\n## /s.exec(read('docs/proxy.md')) ?? [];
  const named = new Set([...section.matchAll(/`(\w+)`/g)].map(([, name]) => name));
  const { retries: _, ...settings } = defaultLimits;
  expect(Object.keys(settings).filter((name) => !named.has(name))).toEqual([]);
});

/** Identifiers that a document names together with their file: `name`, `other` in `path`. */
const identifiers = documents.flatMap((document) =>
  [...read(document).matchAll(/((?:`\w+`(?:, | and )?)+) in `((?:src|test|scripts)\/[\w./-]+)`/g)].flatMap(
    ([, names = '', file = '']) =>
      names.match(/\w+(?=`)/g)?.map((name) => [document, name, file] as const) ?? [],
  ),
);

it.each(identifiers)('%s names %s, which is in %s', (_, name, file) => {
  expect(read(file)).toMatch(new RegExp(`\\b${name}\\b`));
});

it('quotes a real finding in README.md', () => {
  const golden = committedGolden(join(repository, 'traces/0.169.0/chatgpt/fast.golden.jsonl'));
  const sent = fillGolden(golden, 1).map((exchange) =>
    withPayloads(exchange, 'client', (message) => {
      if (message.content.kind !== 'json' || message.content.json.kind !== 'object') return [message];
      const members = message.content.json.members.filter(([key]) => key !== 'prompt_cache_key');
      return [{ ...message, content: { ...message.content, json: { kind: 'object', members } } }];
    }),
  );
  const findings = parityFindings(golden, sent).map((finding) => findingText('0.169.0 fast', finding));
  const quoted = [...read('README.md').matchAll(/```\n(breaks: [^`]*)\n```/g)].map(([, text]) => text);
  expect(quoted).toEqual(findings);
});

it('shows first screens in README.md as check prints them', () => {
  const goldens = selectGoldens([join(repository, 'traces')]).filter(({ lane }) => lane === 'chatgpt');
  const played = (version?: string): ReportedScenario[] =>
    goldens
      .filter(({ codex }) => version === undefined || codex === version)
      .map(({ codex, lane, scenario, path }) => ({
        ...{ codex, lane, scenario, transport: transportIn(committedGolden(path)) },
        ...verdictOf([], {}),
      }));
  const screen = (subject: string, scenarios: readonly ReportedScenario[]) =>
    firstScreen({ subject, driver: 'replay', scenarios }).trimEnd();
  const header = (name: string): Place => ({ exchange: 1, side: 'client', part: 'handshake', path: [name] });
  const renamed: Finding = {
    ...{ comparison: 'parity', kind: 'renamed', places: [header('session-id')] },
    ...{ from: 'session-id', to: 'session_id' },
  };
  const instructions: Finding = {
    ...{ comparison: 'parity', kind: 'added' },
    places: [{ exchange: 1, side: 'client', part: 'message', number: 1, path: ['instructions'] }],
    actual: jsonValue(jsonString('Answer in rhymes.')),
  };
  const added: Finding = {
    ...{ comparison: 'parity', kind: 'added', places: [header('x-forwarded-for')] },
    actual: jsonValue(jsonString('127.0.0.1')),
  };
  const wrong = played('0.171.0').map(
    (scenario): ReportedScenario => ({
      ...scenario,
      ...verdictOf(
        [
          renamed,
          ...(scenario.scenario === 'refresh-refused' ? [] : [instructions]),
          ...(scenario.transport === 'http' ? [added] : []),
        ],
        {},
      ),
      sender: { announces: '0.146.0', fits: ['0.118.0', '0.130.0'], shownBy: ['session_id'] },
    }),
  );
  const quoted = [...read('README.md').matchAll(/```\n(\w+ vs codex [^`]*)\n```/g)].map(([, text]) => text);
  expect(quoted).toEqual([screen('bundled', played()), screen('mine', wrong)]);
});

function read(path: string): string {
  return readFileSync(join(repository, path), 'utf8');
}

/** Quotes are indented otherwise. */
function withoutSpace(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
