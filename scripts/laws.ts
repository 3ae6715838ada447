// Tests the first two laws of docs/design.md with the official client: recordings from new environments match the
// committed goldens, and goldens that are recorded again have the same bytes.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { progress } from '../src/cli/progress.ts';
import { installOfficialClient } from '../src/client/install/install.ts';
import type { OfficialClient } from '../src/client/install/installed.ts';
import { type Lane, lanes } from '../src/client/official/lanes.ts';
import { parityFindings } from '../src/diff/parity.ts';
import { ParityError } from '../src/errors.ts';
import { randomFrom } from '../src/fault/random.ts';
import { printGolden, readGolden } from '../src/golden/file.ts';
import { bundledGoldens, type GoldenFile, selectGoldens } from '../src/golden/select.ts';
import { recordGolden, recordRuns } from '../src/record/record-golden.ts';
import { count } from '../src/report/count.ts';
import { findingText } from '../src/report/text.ts';
import { loadScenario } from '../src/scenario/scenario.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../src/tap/certificate-authority.ts';
import { compareVersions } from '../src/wire/codex-version.ts';
import { runMain } from './run-main.ts';

const usage =
  'npm run laws -- [--sample N] [--seed N] [--goldens FOLDER] [--codex VERSIONS] [--scenario NAMES]';

/** One golden to test. `again` is whether it is also recorded again. */
type Trial = { readonly golden: GoldenFile; readonly firstEnvironment: number; readonly again: boolean };

/** Goldens are learned in environments from 0 on; these are new. */
const firstNewEnvironment = 1000;
/** One of this many goldens is recorded again. */
const recordAgainEvery = 6;

async function main(): Promise<number> {
  const { sample, seed, folder, versions, scenarios } = options();
  const goldens = selectGoldens([folder], versions, scenarios);
  const trials = trialsOf(goldens, sample, seed);
  progress(`${count(trials.length, 'recording')} of ${count(goldens.length, 'golden')}, seed ${seed}`);
  const clients = new Map<string, OfficialClient>();
  const authority = await openCertificateAuthority(defaultAuthorityFolder());
  const { signal } = new AbortController();
  let total = 0;
  for (const [index, { golden: file, firstEnvironment, again }] of trials.entries()) {
    const name = `${file.codex} ${file.lane} ${file.scenario}`;
    const client =
      clients.get(file.codex) ?? (await installOfficialClient(file.codex, { onProgress: progress }));
    clients.set(file.codex, client);
    const findings = await findingsOf(name, async () => {
      const [scenario, lane] = [loadScenario(file.scenario), laneOf(file)];
      const recording = { client, authority, scenario, lane, signal, firstEnvironment };
      const golden = readGolden(file.path);
      const [exchanges = []] = await recordRuns({ ...recording, runs: 1 });
      const mismatches = parityFindings(golden, exchanges).map((finding) => findingText(name, finding));
      if (!again) return mismatches;
      const text = printGolden(await recordGolden({ ...recording, runs: golden.runs }));
      return [...mismatches, ...differences(name, readFileSync(file.path, 'utf8'), text)];
    });
    for (const finding of findings) process.stdout.write(`${finding}\n\n`);
    total += findings.length;
    const verdict = findings.length > 0 ? 'DOES NOT HOLD' : again ? 'holds, recording is identical' : 'holds';
    progress(`${index + 1} of ${trials.length}: ${name}, environment ${firstEnvironment}: ${verdict}`);
  }
  const verdict = total === 0 ? 'the laws hold' : `the laws do not hold: ${count(total, 'finding')}`;
  process.stdout.write(`${verdict} (${count(trials.length, 'recording')}, seed ${seed})\n`);
  return total === 0 ? 0 : 1;
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
 * Draws goldens; the same seed gives the same trials. The first goldens drawn of each version and scenario come first, so
 * that a small sample covers many of them. If the sample is larger than the number of goldens, they are used again in
 * other environments. Sorted by version, so that each client is installed once.
 */
function trialsOf(goldens: readonly GoldenFile[], sample: number, seed: number): Trial[] {
  const draw = randomFrom(seed);
  const shuffled = goldens
    .map((golden) => ({ golden, lot: draw() }))
    .sort((a, b) => a.lot - b.lot)
    .map(({ golden }) => golden);
  const spread = shuffled
    .map((golden, index) => {
      const earlier = shuffled.slice(0, index);
      const same = (key: 'codex' | 'scenario') =>
        earlier.filter((drawn) => drawn[key] === golden[key]).length;
      return { golden, rank: Math.max(same('codex'), same('scenario')) };
    })
    .sort((a, b) => a.rank - b.rank);
  return Array.from({ length: sample }, (_, index) => spread[index % spread.length])
    .flatMap((drawn, index) => {
      const firstEnvironment = firstNewEnvironment + Math.floor(draw() * 1000);
      return drawn === undefined
        ? []
        : [{ golden: drawn.golden, firstEnvironment, again: index % recordAgainEvery === 0 }];
    })
    .sort((a, b) => compareVersions(a.golden.codex, b.golden.codex));
}

function laneOf({ lane, path }: GoldenFile): Lane {
  const known = lanes.find((candidate) => candidate === lane);
  if (known !== undefined) return known;
  throw new ParityError('usage', `${path}: unknown lane "${lane}": choose from ${lanes.join(', ')}`);
}

/** Returns the findings of `work`. A run that does not follow its scenario is a finding too. */
async function findingsOf(name: string, work: () => Promise<string[]>): Promise<string[]> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ParityError) return [`error: ${name}: ${error.message}`];
    throw error;
  }
}

/** The first difference between a golden and a new recording of it, as a finding. */
function differences(name: string, committed: string, recorded: string): string[] {
  if (committed === recorded) return [];
  const [before, after] = [committed.split('\n'), recorded.split('\n')];
  const line = before.findIndex((text, index) => text !== after[index]);
  const [expected, actual] = [before[line] ?? '', after[line] ?? ''];
  const column = [...expected].findIndex((character, index) => character !== actual[index]);
  const excerpt = (text: string) => text.slice(Math.max(0, column - 60), column + 60);
  const lines = [
    `error: ${name} › line ${line + 1}: the recorded golden differs from the committed golden`,
    `  expected ${excerpt(expected)}`,
    `  actual   ${excerpt(actual)}`,
  ];
  return [lines.join('\n')];
}

await runMain(main);
