import type { CommandModule } from 'yargs';
import { comparedScenarios, drift } from '../diff/drift.ts';
import { ParityError } from '../errors.ts';
import { readGoldenOf } from '../golden/file.ts';
import type { Golden } from '../golden/golden.ts';
import { selectGoldens } from '../golden/select.ts';
import { type Drift, driftFormats } from '../report/drift.ts';
import { compareVersions } from '../wire/compare-versions.ts';
import { goldensOption } from './options.ts';
import { progress } from './progress.ts';

type DriftOptions = {
  from: string | undefined;
  to: string | undefined;
  since: string | undefined;
  format: keyof typeof driftFormats;
  goldens: string;
};

export function driftCommand(): CommandModule<object, DriftOptions> {
  return {
    command: 'drift [from] [to]',
    describe: 'Tell what changed in the protocol between versions, by their goldens',
    builder: (yargs) =>
      yargs
        .positional('from', { type: 'string', describe: 'The older version' })
        .positional('to', { type: 'string', describe: 'The newer version' })
        .option('since', {
          type: 'string',
          describe: 'Walk all versions from this one on, and tell at which step each change came',
          conflicts: ['from', 'to'],
        })
        .option('format', {
          requiresArg: true,
          choices: ['text', 'markdown', 'json'] as const,
          default: 'text' as const,
          describe: 'How to print it',
        })
        .option('goldens', goldensOption)
        .example('$0 drift 0.118.0 0.169.0', 'what a proxy that was right for 0.118.0 does wrong today')
        .example('$0 drift --since 0.118.0 --format markdown', 'the history of the protocol'),
    handler: async ({ from, to, since, format, goldens }) => {
      const versions = since === undefined ? pair(from, to) : versionsSince(goldens, since);
      const steps = await Promise.all(versions.map((version) => goldensOf(goldens, version)));
      steps.slice(1).forEach((after, at) => {
        mustShareScenario(steps[at] ?? [], after);
      });
      const drifts = steps.slice(1).map(
        (after, at): Drift => ({
          from: versions[at] ?? '',
          to: versions[at + 1] ?? '',
          scenarios: comparedScenarios(steps[at] ?? [], after),
          changes: drift(steps[at] ?? [], after),
        }),
      );
      if (drifts.length === 0) progress(`there is no golden of a version after ${since}: nothing to compare`);
      process.stdout.write(driftFormats[format](drifts));
    },
  };
}

function pair(from: string | undefined, to: string | undefined): string[] {
  if (from !== undefined && to !== undefined) return [from, to];
  throw new ParityError('usage', 'name two versions, or one with --since (see codex-parity drift --help)');
}

function versionsSince(folder: string, since: string): string[] {
  selectGoldens(folder, [since], undefined);
  const all = [...new Set(selectGoldens(folder, undefined, undefined).map(({ codex }) => codex))];
  return all.filter((version) => compareVersions(version, since) >= 0);
}

function mustShareScenario(before: readonly Golden[], after: readonly Golden[]): void {
  if (
    before.some((one) => after.some(({ lane, scenario }) => lane === one.lane && scenario === one.scenario))
  )
    return;
  throw new ParityError(
    'no-golden',
    `codex ${before[0]?.codex} and ${after[0]?.codex} have no scenario in common: record one with both`,
  );
}

async function goldensOf(folder: string, version: string): Promise<Golden[]> {
  return Promise.all(
    selectGoldens(folder, [version], undefined).map((file) => readGoldenOf(file, file.path)),
  );
}
