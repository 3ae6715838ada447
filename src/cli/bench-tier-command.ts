import type { CommandModule } from 'yargs';
import { ParityError } from '../errors.ts';
import { mustBeWritable, writeWhole } from '../files.ts';
import { selectGoldens, versionNamed } from '../golden/select.ts';
import { measureLive, measureSimulated, type ProxyMeasurement } from '../measure/measure-proxy.ts';
import type { TierRun } from '../measure/measure-tiers.ts';
import { type TierReport, tierJson, tierText } from '../measure/tier-report.ts';
import { tierFindings } from '../measure/tier-summary.ts';
import { tiers } from '../measure/timed-turn.ts';
import { standardOutput } from '../report/write.ts';
import type { CommandContext } from './command-context.ts';
import { examples } from './help.ts';
import { mustBeWhole } from './options.ts';
import { progress } from './progress.ts';
import { loadSetup, type SetupOptions, setupOptions } from './proxy-setup.ts';
import { officialUpstreams, parseUpstream } from './upstream.ts';

type BenchTierOptions = SetupOptions & {
  live: boolean;
  runs: number;
  model: string | undefined;
  prompt: string;
  json: string | undefined;
};

/** The most turns with each tier: with --live, each of them costs. */
const mostRuns = 1000;

export function benchTierCommand({ signal, exit }: CommandContext): CommandModule<object, BenchTierOptions> {
  return {
    command: 'bench-tier',
    describe: 'Compare the latency of service tier priority with that of the default tier',
    builder: (yargs) =>
      yargs
        .usage(
          '$0 bench-tier [options]\n\n' +
            'Runs turns through the bundled proxy, alternately without a service tier and with tier priority, on new ' +
            'connections and on kept ones. Prints the times, the transport, and the tier that was really sent upstream. The ' +
            'tier named in a response does not prove which tier served it.',
        )
        .option('live', {
          type: 'boolean',
          default: false,
          describe:
            'Use the real backend and your own sign-in instead of the simulated backend; this uses your quota',
        })
        .option('runs', {
          requiresArg: true,
          type: 'number',
          default: 10,
          describe: 'Turns with each tier on new connections, and as many on kept ones',
        })
        .option('model', {
          type: 'string',
          defaultDescription: 'the default of the official client',
          describe: 'Model to request',
        })
        .option('prompt', {
          type: 'string',
          default: 'Count from 1 to 100, one number per line, and say nothing else.',
          defaultDescription: 'Count from 1 to 100, one number per line, and say nothing else.',
          describe: 'Prompt to send',
        })
        .options(setupOptions(' (with --live)'))
        .option('json', {
          type: 'string',
          // Without it, yargs does not accept "-" as the value.
          requiresArg: true,
          describe: 'File for the result as JSON; "-" prints JSON instead of the table',
        })
        .epilogue(
          examples([
            ['See which tier is sent, without an account', 'codex-parity bench-tier'],
            ['Measure 40 turns with each tier on your account', 'codex-parity bench-tier --live --runs 20'],
          ]),
        ),
    handler: async (options) => {
      const { live, runs, json, model, prompt, goldens } = options;
      mustBeWhole('runs', runs, 1, mostRuns);
      // Fail before the turns, which may cost.
      if (json !== undefined && json !== standardOutput) mustBeWritable(json);
      const onRun = (run: TierRun, count: number) => progress(`${count}/${4 * runs} ${runText(run)}`);
      const measurement = { goldens, model, prompt, runs, signal, onRun };
      const report = live
        ? await liveReport(measurement, options)
        : await simulatedReport(measurement, options);
      print(report, json);
      if (tierFindings(report.tiers).length > 0) return exit(1);
      const missing = tiers.filter((name) =>
        report.tiers.every(({ tier, totalMs }) => tier !== name || totalMs === null),
      );
      if (missing.length === 0) return;
      throw new ParityError(
        'not-measured',
        `every turn with tier ${missing.join(' and ')} failed: there is no measurement`,
      );
    },
  };
}

async function liveReport(measurement: ProxyMeasurement, options: BenchTierOptions): Promise<TierReport> {
  const setup = await loadSetup(options);
  const upstream = parseUpstream(options.upstream ?? officialUpstreams[setup.lane]);
  progress(
    `sending ${4 * options.runs} turns to ${upstream.href}. They count against your account, half of them at the price of priority.`,
  );
  return measureLive(measurement, setup, upstream);
}

async function simulatedReport(
  measurement: ProxyMeasurement,
  { goldens, codex: name = 'latest', auth, upstream }: BenchTierOptions,
): Promise<TierReport> {
  if (auth !== undefined || upstream !== undefined) {
    throw new ParityError(
      'usage',
      '--auth and --upstream need --live: the simulated backend has its own sign-in',
    );
  }
  const codex = versionNamed(goldens, name);
  selectGoldens(goldens, [codex]);
  return measureSimulated(measurement, codex);
}

function runText({ tier, connection, turn, sent }: TierRun): string {
  const name = `${tier}, ${connection} connection`;
  if (turn.kind === 'failed') return `${name}: failed: ${turn.reason}`;
  return `${name}, ${sent.transport}: first token ${turn.firstToken.toFixed(0)} ms, total ${turn.total.toFixed(0)} ms`;
}

function print(report: TierReport, json: string | undefined): void {
  process.stdout.write(json === standardOutput ? tierJson(report) : tierText(report));
  if (json !== undefined && json !== standardOutput) writeWhole(json, tierJson(report));
}
