import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { type Lane, lanes } from '../client/official/lanes.ts';
import { ParityError } from '../errors.ts';
import { chooseFrom } from '../suggestion.ts';
import type { CommandContext } from './command-context.ts';
import { examples } from './help.ts';
import { commaList, mustBeWhole } from './options.ts';
import { progress } from './progress.ts';
import { parseShard } from './shard.ts';

type RecordOptions = {
  codex: string | undefined;
  scenario: string | undefined;
  lane: string | undefined;
  runs: number | undefined;
  out: string | undefined;
  shard: string | undefined;
  resume: boolean | undefined;
  prune: boolean | undefined;
  '--'?: string[];
};

/** The options that apply to goldens only. */
const goldenOptions = ['codex', 'scenario', 'lane', 'runs', 'shard', 'resume', 'prune'] as const;

const defaultScenarios = 'default,fast';
const defaultRuns = 3;

/** The most runs of a scenario: each takes a second or more. */
const mostRuns = 1000;

export function recordCommand({ signal, exit }: CommandContext): CommandModule<object, RecordOptions> {
  return {
    command: 'record',
    describe: 'Record goldens from the official client, or a trace of your own session',
    builder: (yargs) =>
      yargs
        .usage(
          '$0 record --codex VERSIONS [options]\n$0 record [--out FILE] -- COMMAND…\n\n' +
            'With --codex: installs the official client from npm, runs scenarios with a simulated backend, and writes a ' +
            'golden for each scenario. Needs no account.\n\n' +
            'With a command: runs it with the real backend and writes a trace of its Codex traffic. Secrets are replaced, ' +
            'and texts are reduced to length and hash, before they are written. Ends with the exit code of the command.',
        )
        .option('codex', {
          type: 'string',
          describe:
            'Versions of the official client, separated by commas; "latest" is the newest in the registry',
        })
        .option('scenario', {
          type: 'string',
          defaultDescription: defaultScenarios,
          describe: 'Scenarios, separated by commas; "all" is every scenario that the version supports',
        })
        .option('lane', {
          type: 'string',
          describe: `Lanes, separated by commas: ${lanes.join(', ')}`,
          defaultDescription: 'all lanes of each scenario',
        })
        .option('runs', {
          requiresArg: true,
          type: 'number',
          defaultDescription: String(defaultRuns),
          describe: 'Number of runs that each golden is learned from; at least 2',
        })
        .option('out', {
          type: 'string',
          describe: 'Folder for goldens, or file for the trace of a command',
          defaultDescription: 'traces, or .codex-parity/live-<time>.trace.jsonl',
        })
        .option('shard', {
          type: 'string',
          describe: 'Record one part of the versions: 2/4 is the second of four parts',
        })
        .option('resume', { type: 'boolean', describe: 'Skip goldens that exist in the folder' })
        .option('prune', {
          type: 'boolean',
          describe: 'Remove the installed client of each version after its goldens are recorded',
        })
        .epilogue(
          examples([
            [
              'Record two scenarios of one version',
              'codex-parity record --codex 0.169.0 --scenario default,fast',
            ],
            [
              'Record every scenario of two versions, with one client installed at a time',
              'codex-parity record --codex 0.160.0,latest --scenario all --prune',
            ],
            [
              'Record a trace of your own client and the real backend',
              'codex-parity record -- codex exec "Say hello"',
            ],
          ]),
        ),
    handler: async (options) => {
      const command = options['--'] ?? [];
      if (command.length > 0) exit(await recordTrace(command, options));
      else {
        const { recordGoldens } = await import('../record/record-goldens.ts');
        await recordGoldens({ ...parse(options), signal, onProgress: progress });
      }
    },
  };
}

/** Records a trace of a command. Returns its exit code. */
async function recordTrace(command: readonly string[], options: RecordOptions): Promise<number> {
  const unused = goldenOptions.find((name) => options[name] !== undefined);
  if (unused !== undefined) {
    throw new ParityError(
      'usage',
      `--${unused} applies to goldens only: remove it, or remove -- and the command`,
    );
  }
  const time = new Date().toISOString().replaceAll(/[:.]/g, '-');
  const out = options.out ?? join('.codex-parity', `live-${time}.trace.jsonl`);
  const { recordCommandThroughTap } = await import('../record/record-live.ts');
  const { exitCode, requests, problems } = await recordCommandThroughTap({ command, out });
  for (const problem of problems) progress(problem);
  if (requests === 0 && problems.size === 0)
    progress('no request to the Codex backend: does the command use HTTPS_PROXY?');
  progress(`wrote ${out}: print it with "codex-parity show ${out}"`);
  return exitCode;
}

function parse(options: RecordOptions) {
  const { runs = defaultRuns, out = 'traces', shard } = options;
  const versions = commaList('codex', options.codex);
  if (versions === undefined) {
    throw new ParityError(
      'usage',
      'give a version with --codex, or a command after -- (see codex-parity record --help)',
    );
  }
  // What varies shows only in a second run.
  mustBeWhole('runs', runs, 2, mostRuns);
  return {
    versions,
    scenarios: commaList('scenario', options.scenario ?? defaultScenarios) ?? [],
    lanes: commaList('lane', options.lane)?.map(parseLane),
    runs,
    out,
    shard: shard === undefined ? undefined : parseShard(shard),
    resume: options.resume ?? false,
    prune: options.prune ?? false,
  };
}

function parseLane(text: string): Lane {
  const lane = lanes.find((candidate) => candidate === text);
  if (lane !== undefined) return lane;
  throw new ParityError('usage', `unknown lane "${text}": ${chooseFrom(text, lanes)}`);
}
