import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { isVersion, unknownVersion } from '../client/install/codex-version.ts';
import { installOfficialClient } from '../client/install/install.ts';
import { defaultClientCache, removeClient } from '../client/install/installed.ts';
import { latestVersion } from '../client/install/npm.ts';
import { type Lane, lanes } from '../client/official/lanes.ts';
import { ParityError } from '../errors.ts';
import { recordCommandThroughTap } from '../record/record-live.ts';
import { cellsOf, recordMatrix, type Shard, shardOf, withoutRecorded } from '../record/record-matrix.ts';
import { playableBy } from '../scenario/playable.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { loadScenario, scenarioNames } from '../scenario/scenario.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../tap/certificate-authority.ts';
import type { CommandContext } from './command-context.ts';
import { commaList, mustBeWhole } from './options.ts';
import { progress } from './progress.ts';

/** The options that say nothing about the trace of a command. */
const goldenOptions = ['codex', 'scenario', 'lane', 'runs', 'shard', 'resume', 'prune'] as const;

const usualScenarios = 'default,fast';
const usualRuns = 3;

/** Runs of one scenario, each of a second or more. */
const mostRuns = 1000;

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

export function recordCommand({ signal, exit }: CommandContext): CommandModule<object, RecordOptions> {
  return {
    command: 'record',
    describe: 'Record goldens from the official client, or live traffic of any command',
    builder: (yargs) =>
      yargs
        .usage('$0 record --codex VERSION [--scenario NAMES]\n$0 record [--out FILE] -- COMMAND…')
        .option('codex', {
          type: 'string',
          describe:
            'Versions of the official client to record, separated by commas; "latest" is the newest in the registry',
        })
        .option('scenario', {
          type: 'string',
          defaultDescription: usualScenarios,
          describe: 'Scenarios to record, separated by commas; "all" for every one that the version can play',
        })
        .option('lane', {
          type: 'string',
          describe: `Lanes to record, separated by commas: ${lanes.join(', ')}`,
          defaultDescription: 'those of each scenario',
        })
        .option('runs', {
          requiresArg: true,
          type: 'number',
          defaultDescription: String(usualRuns),
          describe: 'Runs to learn each golden from, at least 2',
        })
        .option('out', {
          type: 'string',
          describe: 'Folder for goldens, or file for the trace of a command',
          defaultDescription: 'traces, or .codex-parity/live-<time>.trace.jsonl',
        })
        .option('shard', {
          type: 'string',
          describe: 'Record one part of the versions, as in 2/4, for one of several machines',
        })
        .option('resume', {
          type: 'boolean',
          describe: 'Leave out what the folder has already, as after an interruption',
        })
        .option('prune', {
          type: 'boolean',
          describe: 'Remove each version of the client when it has been recorded',
        })
        .example(
          '$0 record --codex 0.169.0 --scenario default,fast',
          'goldens of one version, against a simulated backend',
        )
        .example(
          '$0 record --codex 0.160.0,latest --scenario all --prune',
          'every scenario of two versions, with one installed at a time',
        )
        .example(
          '$0 record -- codex exec "Say hello"',
          'a sealed trace of what your own client says to the real backend',
        ),
    handler: async (options) => {
      const command = options['--'] ?? [];
      if (command.length === 0) return recordGoldens(options, signal);
      const forGoldens = goldenOptions.find((name) => options[name] !== undefined);
      if (forGoldens !== undefined) {
        throw new ParityError(
          'usage',
          `--${forGoldens} is for recording goldens: leave it out, or leave out -- and the command`,
        );
      }
      const out =
        options.out ??
        join('.codex-parity', `live-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.trace.jsonl`);
      const { exitCode, requests } = await recordCommandThroughTap(command, out);
      if (requests === 0)
        progress('no request to the Codex backend was seen: does the command use HTTPS_PROXY?');
      progress(`wrote ${out}: see it with "codex-parity show ${out}"`);
      exit(exitCode);
    },
  };
}

async function recordGoldens(options: RecordOptions, signal: AbortSignal): Promise<void> {
  const { codex, scenario = usualScenarios, lane, runs = usualRuns, out = 'traces', shard } = options;
  const asked = commaList('codex', codex) ?? [];
  if (asked.length === 0) {
    throw new ParityError(
      'usage',
      'name a version with --codex, or a command after -- (see codex-parity record --help)',
    );
  }
  // A single run shows nothing that varies.
  mustBeWhole('runs', runs, 2, mostRuns);
  // Everything that can be wrong with the words is said before the first download.
  const part = shard === undefined ? undefined : parseShard(shard);
  const wanted = scenariosOf(scenario);
  const inLanes = commaList('lane', lane)?.map(parseLane);
  if (cellsOf(wanted, inLanes).length === 0)
    throw new ParityError('usage', `${scenario} has no golden in the lane ${lane}: leave out --lane`);
  for (const version of asked) {
    if (version !== latest && !isVersion(version)) throw unknownVersion(version, 'is not a version');
  }
  const versions = await Promise.all(
    asked.map((version) => (version === latest ? latestVersion(signal) : version)),
  );
  const playable = [...new Set(versions)].map((version) => ({
    version,
    cells: cellsOf(
      playableBy(version, wanted, (reason) => progress(`skipped: ${reason}`)),
      inLanes,
    ),
  }));
  const rows = part === undefined ? playable : shardOf(playable, part);
  const left = options.resume ? withoutRecorded(rows, out) : rows;
  if (left.every(({ cells }) => cells.length === 0)) progress('nothing is left to record');
  await recordMatrix({
    rows: left,
    out,
    runs,
    authority: await openCertificateAuthority(defaultAuthorityFolder()),
    install: (version) => installOfficialClient(version, { signal, onProgress: progress }),
    onVersionDone: async (version) => {
      if (options.prune) await removeClient(defaultClientCache(process.env), version);
    },
    onProgress: progress,
    signal,
  });
}

const latest = 'latest';

function parseShard(text: string): Shard {
  const [, part = 0, of = 0] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  if (part >= 1 && part <= of) return { part, of };
  throw new ParityError('usage', `--shard "${text}" must be a part and their number, such as 2/4`);
}

function parseLane(text: string): Lane {
  const lane = lanes.find((one) => one === text);
  if (lane !== undefined) return lane;
  throw new ParityError('usage', `there is no lane "${text}": choose from ${lanes.join(', ')}`);
}

/** The scenarios of a list, each once; "all" stands for every one there is. */
function scenariosOf(wanted: string): Scenario[] {
  const names = (commaList('scenario', wanted) ?? []).flatMap((name) =>
    name === 'all' ? scenarioNames() : [name],
  );
  return [...new Set(names)].map(loadScenario);
}
