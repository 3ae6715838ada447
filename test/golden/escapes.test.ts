import { expect, it } from 'vitest';
import { generalise } from '../../src/golden/learn/generalise.ts';
import { unify } from '../../src/golden/match/unify.ts';
import { Sealer } from '../../src/trace/seal.ts';
import { parseJson } from '../../src/wire/json.ts';
import { exchangeOf, messageOf, sampleId } from './sample-run.ts';

/** A request whose metadata names a folder, a remote, a branch and the text of a file. */
const run = (folder: string, remote: string, branch: string, text: string) => {
  const metadata = `{"workspaces":{"/home/${folder}/engine":{"associated_remote_urls":{"origin":"https://git/${remote}"},"branch":"${branch}"}}}`;
  const body = `{"metadata":${JSON.stringify(metadata)},"text":"${text}"}`;
  return [exchangeOf(messageOf('client', new Sealer().json(parseJson(body).node)))];
};

const escaped = 'j\\u00fcrgen';
const golden = generalise(sampleId, [
  run('ada', 'ada', 'ada', 'ada'),
  run(escaped, escaped, escaped, 'jürgen'),
]);

it.each([
  ['ASCII characters only', run('lin', 'lin', 'lin', 'lin')],
  ['escapes where it writes escapes', run('m\\u00e9lo', 'm\\u00e9lo', 'm\\u00e9lo', 'mélo')],
  ['escapes of two units', run('\\ud83d\\ude00', '\\ud83d\\ude00', '\\ud83d\\ude00', '😀')],
  ['non-ASCII characters in one place only', run('lin', 'm\\u00e9lo', 'lin', 'lin')],
])('accepts what the official client would write: %s', (_, exchanges) => {
  expect(unify(golden, exchanges)).toEqual([]);
});

it.each([
  ['a raw folder', run('mélo', escaped, escaped, 'mélo'), 'key'],
  ['a folder with upper case digits', run('m\\u00E9lo', escaped, escaped, 'mélo'), 'key'],
  ['a raw remote', run(escaped, 'mélo', escaped, 'mélo'), 'value'],
  ['a remote with upper case digits', run(escaped, 'm\\u00E9lo', escaped, 'mélo'), 'value'],
  ['a remote with a needless escape', run(escaped, '\\u0061da', escaped, 'mélo'), 'value'],
  ['a raw branch', run(escaped, escaped, 'mélo', 'mélo'), 'value'],
  ['a branch with a needless escape', run(escaped, escaped, '\\u0061da', 'mélo'), 'value'],
  ['a text with escapes', run(escaped, escaped, escaped, 'm\\u00e9lo'), 'value'],
])('finds %s', (_, exchanges, spelling) => {
  expect(unify(golden, exchanges)).toMatchObject([{ kind: 'respelled', spelling }]);
});
