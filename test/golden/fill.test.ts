import { expect, it } from 'vitest';
import { Filler } from '../../src/golden/pattern/fill.ts';
import { parseJson, printJson } from '../../src/wire/json.ts';

it('keeps the spelling of everything literal', () => {
  const text = '{"\\u00e9":"\\u0061","{":[1.0,1e2],"é":{}}';
  expect(printJson(new Filler(new Map(), []).node(parseJson(text).node))).toBe(text);
});
