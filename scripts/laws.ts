// Holds the first two laws by the official client itself: what it says from environments that no golden was learned
// in unifies with the committed goldens, and what is recorded again is byte for byte what is committed.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { progress } from '../src/cli/progress.ts';
import { installOfficialClient } from '../src/client/install/install.ts';
import type { OfficialClient } from '../src/client/install/installed.ts';
import { type Lane, lanes } from '../src/client/official/lanes.ts';
import { parityFindings } from '../src/diff/parity.ts';
import { ParityError } from '../src/errors.ts';
import { printGolden, readGolden } from '../src/golden/file.ts';
import { bundledGoldens, type GoldenFile, selectGoldens } from '../src/golden/select.ts';
import { recordGolden, recordRuns } from '../src/record/record-golden.ts';
import { count, findingText } from '../src/report/text.ts';
import { loadScenario } from '../src/scenario/scenario.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../src/tap/certificate-authority.ts';
import { compareVersions } from '../src/wire/compare-versions.ts';

const usage =
  'npm run laws -- [--sample N] [--seed N] [--goldens FOLDER] [--codex VERSIONS] [--scenario NAMES]';

/** One golden to hold to a law, in environments of its own. */
type Trial = { readonly golden: GoldenFile; readonly firstEnvironment: number; readonly again: boolean };

/** Goldens are learned in the environments from 0 on; these are far from them. */
const freshEnvironments = 1000;
/** Of so many goldens one is recorded again. */
const recordedAgain = 6;

async function main(): Promise<number> {
  const { sample, seed, folder, versions, scenarios } = options();
  const goldens = selectGoldens(folder, versions, scenarios);
  const trials = trialsOf(goldens, sample, seed);
  progress(`${count(trials.length, 'recording')} of ${count(goldens.length, 'golden')}, seed ${seed}`);
  const clients = new Map<string, OfficialClient>();
  const authority = await openCertificateAuthority(defaultAuthorityFolder());
  const { signal } = new AbortController();
  let broken = 0;
  for (const [at, { golden: file, firstEnvironment, again }] of trials.entries()) {
    const name = `${file.codex} ${file.lane} ${file.scenario}`;
    const client =
      clients.get(file.codex) ?? (await installOfficialClient(file.codex, { onProgress: progress }));
    clients.set(file.codex, client);
    const wrongs = await toldAsWrong(name, async () => {
      const [scenario, lane] = [loadScenario(file.scenario), laneOf(file)];
      const recording = { client, authority, scenario, lane, signal, firstEnvironment };
      const golden = readGolden(file.path);
      const [exchanges = []] = await recordRuns({ ...recording, runs: 1 });
      const wrong = parityFindings(golden, exchanges).map((finding) => findingText(name, finding));
      if (!again) return wrong;
      const text = printGolden(await recordGolden({ ...recording, runs: golden.runs }));
      return [...wrong, ...differences(name, readFileSync(file.path, 'utf8'), text)];
    });
    for (const wrong of wrongs) process.stdout.write(`${wrong}\n\n`);
    broken += wrongs.length;
    const verdict = wrongs.length === 0 ? (again ? 'holds, and is recorded as it was' : 'holds') : 'BROKEN';
    progress(`${at + 1} of ${trials.length}: ${name}, environment ${firstEnvironment}: ${verdict}`);
  }
  const verdict = broken === 0 ? 'the laws hold' : `the laws are broken: ${count(broken, 'finding')}`;
  process.stdout.write(`${verdict} (${count(trials.length, 'recording')}, seed ${seed})\n`);
  return broken === 0 ? 0 : 1;
}

function options() {
  const { values } = parseArgs({
    options: {
      sample: { type: 'string', default: '30' },
      seed: { type: 'string', default: '1' },
      goldens: { type: 'string', default: bundledGoldens },
      codex: { type: 'string' },
      scenario: { type: 'string' },
    },
  });
  const [sample, seed] = [Number(values.sample), Number(values.seed)];
  if (!Number.isInteger(sample) || sample < 1 || !Number.isInteger(seed) || seed < 0) {
    throw new ParityError('usage', `--sample and --seed must be whole numbers: ${usage}`);
  }
  const folder = values.goldens;
  return { sample, seed, folder, versions: values.codex?.split(','), scenarios: values.scenario?.split(',') };
}

/**
 * The same goldens for the same seed, of as many versions and scenarios as can be: first those that are the first
 * drawn of their version and of their scenario, then the second ones. Where more are wanted than there are goldens,
 * they are taken again, from other environments. Sorted by version, so that each is installed once.
 */
function trialsOf(goldens: readonly GoldenFile[], sample: number, seed: number): Trial[] {
  const draw = randomFrom(seed);
  const shuffled = goldens
    .map((golden) => ({ golden, lot: draw() }))
    .sort((one, other) => one.lot - other.lot)
    .map(({ golden }) => golden);
  const spread = shuffled
    .map((golden, at) => {
      const before = shuffled.slice(0, at);
      const alike = (key: 'codex' | 'scenario') => before.filter((one) => one[key] === golden[key]).length;
      return { golden, rank: Math.max(alike('codex'), alike('scenario')) };
    })
    .sort((one, other) => one.rank - other.rank);
  return Array.from({ length: sample }, (_, at) => spread[at % spread.length])
    .flatMap((drawn, at) => {
      const firstEnvironment = freshEnvironments + Math.floor(draw() * freshEnvironments);
      return drawn === undefined
        ? []
        : [{ golden: drawn.golden, firstEnvironment, again: at % recordedAgain === 0 }];
    })
    .sort((one, other) => compareVersions(one.golden.codex, other.golden.codex));
}

function laneOf({ lane, path }: GoldenFile): Lane {
  const known = lanes.find((one) => one === lane);
  if (known === undefined)
    throw new ParityError('usage', `${path}: "${lane}" is no lane: ${lanes.join(', ')}`);
  return known;
}

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What is wrong; a run that does not go as the scenario says is wrong as well. */
async function toldAsWrong(name: string, work: () => Promise<string[]>): Promise<string[]> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ParityError) return [`error: ${name}: ${error.message}`];
    throw error;
  }
}

/** The first line in which a golden that was recorded again is another, from shortly before the difference on. */
function differences(name: string, committed: string, recorded: string): string[] {
  if (committed === recorded) return [];
  const [before, after] = [committed.split('\n'), recorded.split('\n')];
  const at = before.findIndex((line, index) => line !== after[index]);
  const [one, other] = [before[at] ?? '', after[at] ?? ''];
  const same = [...one].findIndex((letter, index) => letter !== other[index]);
  const shown = (line: string) => line.slice(Math.max(0, same - 60), same + 60);
  const lines = [
    `error: ${name} › line ${at + 1}: it is another golden when it is recorded again`,
    `  expected ${shown(one)}`,
    `  actual   ${shown(other)}`,
  ];
  return [lines.join('\n')];
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof ParityError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
