// Tests the third law of docs/design.md: every single-point mutation of a session of the official client is caught, at
// its place. Writes the scores to docs/proof.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { progress } from '../src/cli/progress.ts';
import { ParityError } from '../src/errors.ts';
import { randomFrom } from '../src/fault/random.ts';
import { readGolden } from '../src/golden/file.ts';
import { bundledGoldens, type GoldenFile, selectGoldens } from '../src/golden/select.ts';
import { count } from '../src/report/count.ts';
import { fillGolden } from '../test/golden/fill-golden.ts';
import { type Judgement, judge, type Mutation, mutationsOf } from './mutations/judge.ts';
import { runMain } from './run-main.ts';

const usage =
  'npm run mutations -- [--sample N] [--seed N] [--most N] [--codex VERSIONS] [--scenario NAMES] [--write] [--list]';

/** Areas in which every mutation must be caught at its place; over all areas this share of them must. */
const strictAreas: ReadonlySet<string> = new Set([
  'identity',
  'tier',
  'previous_response_id',
  'metadata',
  'content',
]);
const leastShare = 0.995;
const mostFindings = 3;

type Score = { readonly area: string; readonly operator: string; readonly judgements: Judgement[] };

function main(): number {
  const { sample, seed, most, versions, scenarios, write, list } = options();
  const random = randomFrom(seed);
  const all = selectGoldens([bundledGoldens], versions, scenarios);
  const files = sample === undefined ? all : pick(all, sample, random);
  const scores = new Map<string, Score>();
  const problems: string[] = [];
  for (const [index, file] of files.entries()) {
    const judged = mutations(file, most, random).map((mutation) => ({ mutation, ...judge(mutation) }));
    for (const { mutation, verdict, findings } of judged) {
      const key = `${mutation.area}: ${mutation.operator}`;
      const score = scores.get(key) ?? { area: mutation.area, operator: mutation.operator, judgements: [] };
      score.judgements.push({ verdict, findings });
      scores.set(key, score);
      if (verdict === 'at its place' && findings <= mostFindings) continue;
      problems.push(`${nameOf(file)}: ${describe(mutation)}: ${verdict}, ${count(findings, 'finding')}`);
    }
    progress(`${index + 1} of ${files.length}: ${nameOf(file)}: ${count(judged.length, 'mutation')}`);
  }
  if (list) for (const problem of problems) process.stdout.write(`${problem}\n`);
  const table = [...scores.values()].sort((a, b) => (a.area < b.area ? -1 : a.area > b.area ? 1 : 0));
  process.stdout.write(`${tableOf(table).join('\n')}\n\n`);
  if (write) writeProof(table, files.length, most, seed);
  const failures = failuresOf(table);
  for (const failure of failures) process.stdout.write(`${failure}\n`);
  process.stdout.write(failures.length === 0 ? 'the third law holds\n' : 'the third law does not hold\n');
  return failures.length === 0 ? 0 : 1;
}

/** The mutations of a golden's session: at most `most` of each operator and exchange, drawn at random. */
function mutations(file: GoldenFile, most: number, random: () => number): Mutation[] {
  const golden = readGolden(file.path);
  const all = mutationsOf(golden, fillGolden(golden, 1), fillGolden(golden, 2));
  const groups = Map.groupBy(all, ({ exchanges, operator }) => `${[...exchanges].join(' ')} ${operator}`);
  return [...groups.values()].flatMap((group) => pick(group, most, random));
}

function failuresOf(scores: readonly Score[]): string[] {
  const all = scores.flatMap(({ judgements }) => judgements);
  const strict = scores.filter(({ area }) => strictAreas.has(area));
  const median = all.map(({ findings }) => findings).sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
  const largest = Math.max(0, ...scores.map(({ judgements }) => maximum(judgements)));
  return [
    ...(share(all) < leastShare
      ? [`${percent(all)} are caught at their place; ${leastShare * 100} % must be`]
      : []),
    ...strict
      .filter(({ judgements }) => share(judgements) < 1)
      .map(
        ({ operator, area, judgements }) =>
          `${operator} (${area}): ${percent(judgements)}; all must be caught`,
      ),
    ...(median > 1 ? [`a mutation has ${median} findings in the median; one is right`] : []),
    ...(largest > mostFindings
      ? [`a mutation has ${largest} findings; at most ${mostFindings} are right`]
      : []),
  ];
}

function tableOf(scores: readonly Score[]): string[] {
  const rows = scores.map(({ area, operator, judgements }) => [
    ...[area, operator, String(judgements.length), percent(judgements)],
    ...(['elsewhere', 'missed'] as const).map((verdict) =>
      String(judgements.filter((one) => one.verdict === verdict).length),
    ),
    String(maximum(judgements)),
  ]);
  const all = scores.flatMap(({ judgements }) => judgements);
  const total = ['**all**', '', String(all.length), percent(all)];
  const sums = (['elsewhere', 'missed'] as const).map((verdict) =>
    String(all.filter((one) => one.verdict === verdict).length),
  );
  const heading = [
    'area',
    'operator',
    'mutations',
    'caught at the place',
    'elsewhere',
    'missed',
    'most findings',
  ];
  const table = [heading, ...rows, [...total, ...sums, String(maximum(all))]];
  const widths = heading.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  return [line(heading), line(widths.map((width) => '-'.repeat(width))), ...table.slice(1).map(line)];
}

function writeProof(scores: readonly Score[], goldens: number, most: number, seed: number): void {
  const path = join(import.meta.dirname, '..', 'docs', 'proof.md');
  const text = readFileSync(path, 'utf8');
  const [before = '', after = ''] = text.split(/<!-- mutations -->.*<!-- end of mutations -->/s);
  const title = `${count(goldens, 'golden')}, at most ${most} mutations of each operator and exchange, seed ${seed}:`;
  const section = ['<!-- mutations -->', '', title, '', ...tableOf(scores), '', '<!-- end of mutations -->'];
  writeFileSync(path, `${before}${section.join('\n')}${after}`);
}

function describe({ area, operator, exchanges, places: [place] }: Mutation): string {
  return `${operator} (${area}) at exchange ${[...exchanges][0]} › ${place?.part} › ${place?.names.join('.')}`;
}

function nameOf({ codex, lane, scenario }: GoldenFile): string {
  return `${codex} ${lane} ${scenario}`;
}

function share(judgements: readonly Judgement[]): number {
  return (
    judgements.filter(({ verdict }) => verdict === 'at its place').length / Math.max(1, judgements.length)
  );
}

function percent(judgements: readonly Judgement[]): string {
  return `${(Math.floor(share(judgements) * 10_000) / 100).toFixed(2)} %`;
}

function maximum(judgements: readonly Judgement[]): number {
  return judgements.reduce((most, { findings }) => Math.max(most, findings), 0);
}

function pick<T>(list: readonly T[], most: number, random: () => number): T[] {
  const left = [...list];
  const picked: T[] = [];
  while (left.length > 0 && picked.length < most)
    picked.push(...left.splice(Math.floor(random() * left.length), 1));
  return picked;
}

function options() {
  const { values } = parseArgs({
    options: {
      sample: { type: 'string' },
      seed: { type: 'string', default: '1' },
      most: { type: 'string', default: '10' },
      codex: { type: 'string' },
      scenario: { type: 'string' },
      write: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
  });
  return {
    sample: values.sample === undefined ? undefined : integer('sample', values.sample),
    seed: integer('seed', values.seed),
    most: integer('most', values.most),
    versions: values.codex?.split(','),
    scenarios: values.scenario?.split(','),
    write: values.write,
    list: values.list,
  };
}

function integer(name: string, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new ParityError('usage', `--${name} must be a whole number (${usage})`);
}

await runMain(main);
