import { expect, it } from 'vitest';
import { versionHeaders } from '../../src/check/version-headers.ts';
import { codeOf } from '../../src/diff/cause-code.ts';
import { parityFindings } from '../../src/diff/parity.ts';
import { versionFit, withVersion } from '../../src/diff/version-fit.ts';
import { bundledGoldens } from '../../src/golden/select.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import type { HeaderField } from '../../src/trace/trace-event.ts';
import { jsonString } from '../../src/wire/json.ts';
import { committedGolden } from '../golden/committed-goldens.ts';
import { fillGolden } from '../golden/fill-golden.ts';

const known = versionHeaders([bundledGoldens], 'chatgpt');
const golden = committedGolden(`${bundledGoldens}/0.169.0/chatgpt/default.golden.jsonl`);

/** What the official client sends, with other headers. */
function sent(change: (header: HeaderField) => HeaderField | undefined): Exchange[] {
  return fillGolden(golden, 1).map((exchange) => {
    const headers = exchange.request.headers.map(change).filter((header) => header !== undefined);
    return { ...exchange, request: { ...exchange.request, headers } };
  });
}

const later = /^(?:x-openai-account-routing-override|x-codex-routing-hint)$/;
const asOf130 = ([name, value]: HeaderField): HeaderField | undefined =>
  later.test(name) ? undefined : [name.replace(/^(session|thread)-id$/, '$1_id'), value];
const named =
  (version: string) =>
  ([name, value]: HeaderField): HeaderField =>
    name === 'version' ? [name, jsonString(version)] : [name, value];

function fitOf(exchanges: readonly Exchange[]) {
  const [first] = exchanges;
  if (first === undefined) throw new RangeError('there is no exchange');
  return versionFit(first, known);
}

it('finds the version that sends these headers', () => {
  expect(fitOf(sent((header) => header))).toMatchObject({
    announces: '0.169.0',
    fits: expect.arrayContaining(['0.169.0']),
  });
  expect(fitOf(sent(asOf130))).toMatchObject({
    announces: '0.169.0',
    fits: ['0.130.0'],
    shownBy: ['thread_id'],
  });
});

it('reads the version from the user agent where no header has it', () => {
  const without = sent(([name, value]) => (name === 'version' ? undefined : [name, value]));
  expect(fitOf(without)?.announces).toBe('0.169.0');
});

it.each([
  [
    'explains the headers of the version that a subject announces and looks like',
    '0.130.0',
    ['client/other-version'],
  ],
  ['also of a version between two that are known', '0.131.2', ['client/other-version']],
])('%s', (_, version, codes) => {
  const exchanges = sent((header) => {
    const old = asOf130(header);
    return old === undefined ? undefined : named(version)(old);
  });
  const sender = fitOf(exchanges);
  if (sender === undefined) throw new RangeError('no version fits');
  const findings = withVersion(parityFindings(golden, exchanges), sender, { codex: '0.169.0', known });
  expect([...new Set(findings.map(codeOf))]).toEqual(codes);
});

it('explains nothing by a version that a subject does not announce', () => {
  const exchanges = sent(asOf130);
  const sender = fitOf(exchanges);
  if (sender === undefined) throw new RangeError('no version fits');
  const findings = withVersion(parityFindings(golden, exchanges), sender, { codex: '0.169.0', known });
  expect(findings.map(codeOf)).not.toContain('client/other-version');
});
