import { expect, it } from 'vitest';
import { type Mutant, requestOperators } from '../../scripts/mutations/request-operators.ts';
import { isAt } from '../../scripts/mutations/sites.ts';
import { printGolden, readGolden } from '../../src/golden/file.ts';
import type { Golden } from '../../src/golden/golden.ts';
import { generalise } from '../../src/golden/learn/generalise.ts';
import type { Mismatch } from '../../src/golden/match/mismatch.ts';
import { unify } from '../../src/golden/match/unify.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import { representatives } from './committed-goldens.ts';
import { fillGolden } from './fill-golden.ts';
import { verdicts } from './reworded.ts';
import { sampleGolden, sampleId, sampleRun, sampleRunOfTwoTurns } from './sample-run.ts';

/** No finding depends on a sentence: rewording changes no kind, place, severity or grouping of any mutant. */
const { worded, reworded } = await verdicts();

/**
 * The third law: every single-point mutation of what the official client said is found, at its place. Left out are
 * mutants that the official client could have sent itself: another order where it has none (`client_metadata`),
 * another value for what it draws anew and says only once (operators.ts, isFresh), another text of the host's.
 */
it('finds nothing in the runs before they are mutated', () => {
  expect(unify(sampleGolden(), sampleRun(7))).toEqual([]);
});

it('finds every mutant of a small session at its place', () => {
  const { missed, score } = attack(sampleGolden(), sampleRun(7), sampleRun(8));
  expect(missed).toEqual([]);
  expect(score).toMatchInlineSnapshot(`
    [
      "drop a header or key: 141/141, at most 1 for one",
      "add a header or key: 141/141, at most 1 for one",
      "duplicate a header or key: 141/141, at most 1 for one",
      "rename a header or key: 141/141, at most 2 for one",
      "exchange dash and underscore in a name: 71/71, at most 1 for one",
      "change the case of a name: 141/141, at most 1 for one",
      "swap two neighbouring headers or keys: 100/100, at most 1 for one",
      "add a conversation_id header: 4/4, at most 1 for one",
      "change the request line: 2/2, at most 1 for one",
      "escape a key: 127/127, at most 1 for one",
      "spell a number differently: 8/8, at most 1 for one",
      "escape a string: 89/89, at most 1 for one",
      "add white space to JSON: 5/5, at most 1 for one",
      "change a constant: 72/72, at most 1 for one",
      "change the form of a varying value: 48/48, at most 1 for one",
      "change the type of a value: 148/148, at most 2 for one",
      "insert an item: 18/18, at most 1 for one",
      "drop an item: 18/18, at most 1 for one",
      "repeat an item: 18/18, at most 1 for one",
      "swap two items: 6/6, at most 1 for one",
      "change one place of an identity: 36/36, at most 1 for one",
      "swap two identifiers: 655/655, at most 2 for one",
      "use an identifier twice: 29/29, at most 1 for one",
      "change an identity from the last message on: 3/3, at most 1 for one",
      "freeze the clock of a request: 2/2, at most 1 for one",
      "keep a value of the previous message: 1/1, at most 1 for one",
      "send the metadata of another message: 4/4, at most 3 for one",
      "change the tier: 14/14, at most 1 for one",
      "change previous_response_id: 4/4, at most 1 for one",
      "drop a message: 2/2, at most 1 for one",
      "send a message twice: 2/2, at most 1 for one",
      "send a message in two frames: 2/2, at most 1 for one",
      "change the compression of a message: 2/2, at most 1 for one",
      "send a message as binary: 2/2, at most 1 for one",
      "send a ping: 2/2, at most 1 for one",
      "send a close message: 2/2, at most 1 for one",
      "break off a body: 0/0, at most 0 for one",
    ]
  `);
});

it('finds every stale value of a turn, and every changed value of the session', () => {
  const golden = generalise(sampleId, [1, 2, 3].map(sampleRunOfTwoTurns));
  const { missed, score } = attack(golden, sampleRunOfTwoTurns(7), sampleRunOfTwoTurns(8));
  expect(missed).toEqual([]);
  expect(score.filter((line) => /^(?:keep|change an identity|freeze)/.test(line))).toMatchInlineSnapshot(`
    [
      "change an identity from the last message on: 3/3, at most 1 for one",
      "freeze the clock of a request: 6/6, at most 1 for one",
      "keep a value of the previous message: 6/6, at most 1 for one",
    ]
  `);
});

it.each(representatives)('finds mutants of $codex $lane $scenario', async ({ path }) => {
  const golden = readGolden(path);
  const official = fillGolden(golden, 1);
  expect(unify(golden, official)).toEqual([]);
  expect(attack(golden, official, fillGolden(golden, 2), mutantsFor(golden)).missed).toEqual([]);
});

/** How many mutants of one operator are tried: fewer of a long conversation, each of which takes longer. */
function mutantsFor(golden: Golden): number {
  const share = 38_000 / printGolden(golden).length;
  return Math.ceil(25 * Math.min(1, share ** 2));
}

/** Mutates the first exchange: what was missed, and for each operator how many of how many were found. */
function attack(golden: Golden, official: readonly Exchange[], other: readonly Exchange[], most = Infinity) {
  const missed: string[] = [];
  const rest = official.slice(1);
  const score = requestOperators(first(official), first(other), { session: rest }).map(
    ({ name: operator, mutants: all }) => {
      const step = Math.max(1, Math.ceil(all.length / most));
      const mutants = all.filter((_, at) => at % step === 0);
      const findings = mutants.map(({ mutate }) => unify(golden, [mutate(), ...rest]));
      const [verdict, other] = [worded(findings), reworded(findings)];
      if (other !== verdict) expect(other).toBe(verdict);
      const found = mutants.filter((mutant, at) => names(findings[at] ?? [], mutant));
      for (const mutant of mutants) {
        if (!found.includes(mutant)) missed.push(`${operator}: ${shown(mutant)}`);
      }
      const largest = Math.max(0, ...findings.map(({ length }) => length));
      return `${operator}: ${found.length}/${mutants.length}, at most ${largest} for one`;
    },
  );
  return { missed, score };
}

function names(mismatches: readonly Mismatch[], mutant: Mutant): boolean {
  const named = mismatches.flatMap(({ places }) => places);
  return mutant.places.some(({ part, names }) => named.some((place) => isAt(place, part, names)));
}

function shown({ places }: Mutant): string {
  return places.map(({ part, names }) => `${part} ${names.join('.')}`).join(' or ');
}

function first(exchanges: readonly Exchange[]): Exchange {
  const [exchange] = exchanges;
  if (exchange === undefined) throw new RangeError('there is no exchange');
  return exchange;
}
