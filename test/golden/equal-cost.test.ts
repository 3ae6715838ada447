import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Matcher } from '../../src/golden/match/matcher.ts';
import { parseJson } from '../../src/wire/json.ts';

/** What the matcher counts for both ways of comparing two documents. */
function counted(expected: string, actual: string) {
  const all = 1e6;
  const comparisons = { left: all };
  const matcher = new Matcher(undefined, { mismatch: () => {}, occurrence: () => {} }, comparisons);
  const [before, after] = [parseJson(expected).node, parseJson(actual).node];
  const likeness = matcher.likeness(before, after);
  const forLikeness = all - comparisons.left;
  matcher.node(before, after, { exchange: 1, side: 'client', part: 'exchange', path: [] });
  return { likeness, forLikeness, forBoth: all - comparisons.left };
}

/** A value as JSON, with each part that has no parts in an object of its own, under this key. */
function wrapped(value: unknown, key: string): string {
  if (Array.isArray(value)) return `[${value.map((item) => wrapped(item, key)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return `{${key}:${JSON.stringify(value)}}`;
  const members = Object.entries(value).map(
    ([name, inner]) => `${JSON.stringify(name)}:${wrapped(inner, key)}`,
  );
  return `{${members.join(',')}}`;
}

it('counts for equal documents what it counts when it compares their parts', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const plain = wrapped(value, '"a"');
      // Names are alike however they are spelled, but such objects are not equal.
      expect(counted(plain, plain)).toEqual(counted(plain, wrapped(value, '"\\u0061"')));
    }),
  );
});
