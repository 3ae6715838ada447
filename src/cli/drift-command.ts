import type { CommandModule } from 'yargs';
import { comparedScenarios, drift } from '../diff/drift.ts';
import { ParityError } from '../errors.ts';
import { readGoldenOf } from '../golden/file.ts';
import type { Golden } from '../golden/golden.ts';
import { type GoldenFolders, selectGoldens, versionNamed } from '../golden/select.ts';
import { type Drift, driftFormats } from '../report/drift.ts';
import { compareVersions } from '../wire/codex-version.ts';
import { examples } from './help.ts';
import { goldensOption } from './options.ts';
import { progress } from './progress.ts';

type DriftOptions = {
  from: string | undefined;
  to: string | undefined;
  since: string | undefined;
  format: keyof typeof driftFormats;
  goldens: GoldenFolders;
};

export function driftCommand(): CommandModule<object, DriftOptions> {
  return {
    command: 'drift [from] [to]',
    describe: 'Print what changed in the protocol between two versions',
    builder: (yargs) =>
      yargs
        .usage(
          '$0 drift FROM TO [options]\n$0 drift --since VERSION [options]\n\n' +
            'Compares the goldens of two versions, or of each version with the next.',
        )
        .positional('from', { type: 'string', describe: 'Older version' })
        .positional('to', { type: 'string', describe: 'Newer version' })
        .option('since', {
          type: 'string',
          describe: 'Compare each version from this one on with the next',
          conflicts: ['from', 'to'],
        })
        .option('format', {
          requiresArg: true,
          choices: ['text', 'markdown', 'json'] as const,
          default: 'text' as const,
          defaultDescription: 'text',
          describe: 'Output format',
        })
        .option('goldens', goldensOption())
        .epilogue(
          examples([
            ['What changed from 0.118.0 to 0.169.0', 'codex-parity drift 0.118.0 0.169.0'],
            ['The history of the protocol', 'codex-parity drift --since 0.118.0 --format markdown'],
          ]),
        ),
    handler: async ({ from, to, since, format, goldens }) => {
      const versions = since === undefined ? versionPair(goldens, from, to) : versionsSince(goldens, since);
      const steps = await Promise.all(versions.map((version) => goldensOf(goldens, version)));
      steps.slice(1).forEach((after, index) => {
        mustShareScenario(steps[index] ?? [], after);
      });
      const drifts = steps.slice(1).map(
        (after, index): Drift => ({
          from: versions[index] ?? '',
          to: versions[index + 1] ?? '',
          scenarios: comparedScenarios(steps[index] ?? [], after),
          changes: drift(steps[index] ?? [], after),
        }),
      );
      if (drifts.length === 0) progress(`no goldens of a version after ${versions[0]}: nothing to compare`);
      process.stdout.write(driftFormats[format](drifts));
    },
  };
}

function versionPair(folders: GoldenFolders, from: string | undefined, to: string | undefined): string[] {
  if (from === undefined || to === undefined) {
    throw new ParityError(
      'usage',
      'give two versions, or one version with --since (see codex-parity drift --help)',
    );
  }
  const [older, newer] = [versionNamed(folders, from), versionNamed(folders, to)];
  selectGoldens(folders, [older, newer]);
  if (compareVersions(older, newer) <= 0) return [older, newer];
  throw new ParityError('usage', `${older} is newer than ${newer}: give the older version first`);
}

function versionsSince(folders: GoldenFolders, name: string): string[] {
  const since = versionNamed(folders, name);
  selectGoldens(folders, [since]);
  const all = [...new Set(selectGoldens(folders).map(({ codex }) => codex))];
  return all.filter((version) => compareVersions(version, since) >= 0);
}

function mustShareScenario(before: readonly Golden[], after: readonly Golden[]): void {
  const idOf = ({ lane, scenario }: Golden) => `${lane}/${scenario}`;
  const known = new Set(before.map(idOf));
  if (after.some((golden) => known.has(idOf(golden)))) return;
  throw new ParityError(
    'no-golden',
    `codex ${before[0]?.codex} and ${after[0]?.codex} have no common scenario: record one with both`,
  );
}

async function goldensOf(folders: GoldenFolders, version: string): Promise<Golden[]> {
  return Promise.all(selectGoldens(folders, [version]).map((file) => readGoldenOf(file, file.path)));
}
