import { expect, it } from 'vitest';
import type { Exchange } from '../../src/golden/dialogue.ts';
import type { Mismatch } from '../../src/golden/mismatch.ts';
import { unify } from '../../src/golden/unify.ts';
import { dialogue, miniGolden } from './conversation.ts';
import { type Mutant, mutantsOf } from './operators.ts';

const golden = miniGolden();
/** Two runs that were not learned from. */
const [official, other] = [first(dialogue(7)), first(dialogue(8))];

it('finds nothing in the run that is mutated', () => {
  expect(unify(golden, [official])).toEqual([]);
});

it('finds every mutant, at its place', () => {
  const missed: string[] = [];
  const score = [...mutantsOf(official, other)].map(([operator, mutants]) => {
    const findings = mutants.map((mutant) => unify(golden, [mutant.exchange]));
    const found = mutants.filter((mutant, at) => names(findings[at] ?? [], mutant));
    for (const mutant of mutants) {
      if (!found.includes(mutant)) missed.push(`${operator}: ${shown(mutant)}`);
    }
    const most = Math.max(...findings.map(({ length }) => length));
    return `${operator}: ${found.length}/${mutants.length}, at most ${most} findings each`;
  });
  expect(missed).toEqual([]);
  expect(score).toMatchInlineSnapshot(`
    [
      "drop a header or key: 141/141, at most 1 findings each",
      "add a header or key: 141/141, at most 1 findings each",
      "duplicate a header or key: 141/141, at most 1 findings each",
      "rename a header or key: 141/141, at most 2 findings each",
      "exchange dash and underscore in a name: 71/71, at most 1 findings each",
      "write a name with other letters: 141/141, at most 1 findings each",
      "escape a key: 127/127, at most 1 findings each",
      "swap two neighbouring headers or keys: 100/100, at most 1 findings each",
      "change a literal: 69/69, at most 1 findings each",
      "give a varying value another form: 48/48, at most 1 findings each",
      "retype a value: 148/148, at most 2 findings each",
      "spell a number otherwise: 8/8, at most 1 findings each",
      "escape a string: 89/89, at most 1 findings each",
      "add white space to JSON: 5/5, at most 1 findings each",
      "insert an item: 18/18, at most 1 findings each",
      "drop an item: 18/18, at most 1 findings each",
      "repeat an item: 18/18, at most 1 findings each",
      "swap two items: 6/6, at most 1 findings each",
      "change one place of an identity: 31/31, at most 1 findings each",
      "swap two identifiers: 392/392, at most 2 findings each",
      "use an identifier twice: 36/36, at most 1 findings each",
      "freeze the clock of a request: 2/2, at most 1 findings each",
      "change the tier: 14/14, at most 1 findings each",
      "add a conversation_id header: 4/4, at most 1 findings each",
      "drop a message: 2/2, at most 1 findings each",
      "send a message twice: 2/2, at most 1 findings each",
      "send a message in two frames: 2/2, at most 1 findings each",
      "send a message uncompressed: 2/2, at most 1 findings each",
      "send a message as binary: 2/2, at most 1 findings each",
      "ping: 2/2, at most 1 findings each",
      "close: 2/2, at most 1 findings each",
      "send another request line: 2/2, at most 1 findings each",
    ]
  `);
});

function names(mismatches: readonly Mismatch[], mutant: Mutant): boolean {
  const named = mismatches.flatMap(({ places }) => places);
  return mutant.places.some(({ part, names }) =>
    named.some((place) => place.part === part && names.every((key, at) => place.path[at] === key)),
  );
}

function shown({ places }: Mutant): string {
  return places.map(({ part, names }) => `${part} ${names.join('.')}`).join(' or ');
}

function first(exchanges: readonly Exchange[]): Exchange {
  const [exchange] = exchanges;
  if (exchange === undefined) throw new RangeError('there is no exchange');
  return exchange;
}
