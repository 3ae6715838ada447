import { existsSync, readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { goldenPath } from '../../src/golden/file.ts';
import { bundledGoldens, selectGoldens } from '../../src/golden/select.ts';
import {
  headersOverHttp1,
  headersOverHttp2,
  requestInVersionOf,
} from '../../src/golden/trace/header-versions.ts';
import type { RequestEvent } from '../../src/trace/trace-event.ts';
import { compareVersions } from '../../src/wire/codex-version.ts';
import { committedGolden } from './committed-goldens.ts';

const overHttp2 = selectGoldens([bundledGoldens], undefined, ['http2-fallback']).filter(({ codex, lane }) =>
  existsSync(goldenPath(bundledGoldens, { codex, lane, scenario: 'http-fallback' })),
);

function postOf(id: { readonly codex: string; readonly lane: string }, scenario: string): RequestEvent {
  const { exchanges } = committedGolden(
    goldenPath(bundledGoldens, { codex: id.codex, lane: id.lane, scenario }),
  );
  const post = exchanges.find(({ request }) => request.method === 'POST');
  if (post === undefined) throw new RangeError(`no POST in ${id.codex} ${id.lane} ${scenario}`);
  return post.request;
}

it.each(overHttp2)('knows what codex $codex sends in lane $lane over the other version of HTTP', (id) => {
  const [first, second] = [postOf(id, 'http-fallback'), postOf(id, 'http2-fallback')];
  expect([first.version, second.version]).toEqual([undefined, '2']);

  expect(headersOverHttp1(second)).toEqual(first.headers);
  expect(headersOverHttp1(first)).toEqual(first.headers);
  expect(headersOverHttp2(first)).toEqual(headersOverHttp2(second));
  expect(headersOverHttp2(second)[0]).toEqual([':authority', second.http2?.authority]);

  const { http2, version, ...shared } = second;
  expect(requestInVersionOf(second, first)).toEqual({ ...shared, headers: first.headers });
  expect(requestInVersionOf(first, second)).toEqual({ ...first, version: '2' });
  expect(requestInVersionOf(second, second)).toBe(second);
});

it('is measured for every version that offers HTTP/2, and for every lane that goes to the official hosts', () => {
  const versions = readdirSync(bundledGoldens);
  const [first, ...others] = versions.filter((codex) => compareVersions(codex, '0.130.0') >= 0);
  expect(first).toBe('0.130.0');
  const measured = (codex: string) => overHttp2.flatMap((id) => (id.codex === codex ? [id.lane] : []));
  for (const codex of [first ?? '', ...others]) expect(measured(codex)).toContain('chatgpt');
  // The other lanes were measured from 0.169.0 on.
  for (const codex of others.filter((one) => compareVersions(one, '0.169.0') >= 0))
    expect(measured(codex)).toEqual(expect.arrayContaining(['api-key', 'fedramp', 'free-plan']));
});
