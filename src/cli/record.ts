import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { installOfficialClient } from '../client/install.ts';
import { isVersion, unknownVersion } from '../client/version.ts';
import { ParityError } from '../errors.ts';
import { writeGolden } from '../golden/file.ts';
import { recordCommandThroughTap } from '../record/live.ts';
import { recordGolden } from '../record/official.ts';
import { playableBy, type Scenario } from '../scenario/definition.ts';
import { loadScenario, scenarioNames } from '../scenario/scenario.ts';
import { defaultAuthorityFolder, openAuthority } from '../tap/authority.ts';
import type { CommandContext } from './context.ts';
import { list } from './goldens.ts';
import { progress } from './progress.ts';

type Options = {
  codex: string | undefined;
  scenario: string;
  runs: number;
  out: string | undefined;
  '--'?: string[];
};

export function recordCommand({ signal, exit }: CommandContext): CommandModule<object, Options> {
  return {
    command: 'record',
    describe: 'Record goldens from the official client, or live traffic of any command',
    builder: (yargs) =>
      yargs
        .usage('$0 record --codex VERSION [--scenario NAMES]\n$0 record [--out FILE] -- COMMAND…')
        .option('codex', {
          type: 'string',
          describe: 'Versions of the official client to record, separated by commas',
        })
        .option('scenario', {
          type: 'string',
          default: 'default,fast',
          describe: 'Scenarios to record, separated by commas; "all" for every one that the version can play',
        })
        .option('runs', {
          type: 'number',
          default: 3,
          describe: 'Runs to learn each golden from, at least 2',
        })
        .option('out', {
          type: 'string',
          describe: 'Folder for goldens, or file for the trace of a command',
          defaultDescription: 'traces, or .codex-parity/live-<time>.trace.jsonl',
        })
        .example(
          '$0 record --codex 0.169.0 --scenario default,fast',
          'goldens of one version, against a simulated backend',
        )
        .example('$0 record --codex 0.169.0 --scenario all', 'the same for every scenario')
        .example(
          '$0 record -- codex exec "Say hello"',
          'a sealed trace of what your own client says to the real backend',
        ),
    handler: async (options) => {
      const command = options['--'] ?? [];
      if (command.length === 0) return recordGoldens(options, signal);
      if (options.codex !== undefined) {
        throw new ParityError('usage', 'name either --codex VERSION or -- COMMAND, not both');
      }
      const out =
        options.out ??
        join('.codex-parity', `live-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.trace.jsonl`);
      const { exitCode } = await recordCommandThroughTap(command, out, signal);
      progress(`wrote ${out}: see it with "codex-parity show ${out}"`);
      exit(exitCode ?? 3);
    },
  };
}

async function recordGoldens(
  { codex, scenario, runs, out = 'traces' }: Options,
  signal: AbortSignal,
): Promise<void> {
  const versions = list(codex) ?? [];
  if (versions.length === 0) {
    throw new ParityError(
      'usage',
      'name a version with --codex, or a command after -- (see codex-parity record --help)',
    );
  }
  if (!Number.isInteger(runs) || runs < 2) {
    throw new ParityError(
      'usage',
      '--runs must be a whole number of at least 2: a single run shows nothing that varies',
    );
  }
  // Everything that can be wrong with the words is said before the first download.
  for (const version of versions) if (!isVersion(version)) throw unknownVersion(version, 'is not a version');
  const wanted = scenariosOf(scenario);
  const playable = versions.map((version) => ({
    version,
    scenarios: playableBy(version, wanted, (reason) => progress(`skipped: ${reason}`)),
  }));
  const authority = await openAuthority(defaultAuthorityFolder());
  for (const { version, scenarios } of playable) {
    if (scenarios.length === 0) continue;
    const client = await installOfficialClient(version, { signal, onProgress: progress });
    for (const one of scenarios) {
      const golden = await recordGolden({
        client,
        authority,
        scenario: one,
        runs,
        signal,
        onRun: (run) => progress(`codex ${version}, ${one.name}: run ${run} of ${runs}`),
      });
      const { path, changed } = writeGolden(out, golden);
      progress(`${changed ? 'wrote' : 'unchanged:'} ${path}`);
    }
  }
}

/** The scenarios of a list, each once; "all" stands for every one there is. */
function scenariosOf(wanted: string): Scenario[] {
  const names = (list(wanted) ?? []).flatMap((name) => (name === 'all' ? scenarioNames() : [name]));
  return [...new Set(names)].map(loadScenario);
}
