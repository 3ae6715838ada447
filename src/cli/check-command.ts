import type { CommandModule } from 'yargs';
import { clientDriver, findClient } from '../check/client-under-test.ts';
import { type DriverKind, driverKinds } from '../check/driver.ts';
import {
  type CheckRun,
  type PlannedCheck,
  planChecks,
  planClientChecks,
  type RunOptions,
  runChecks,
  runClientChecks,
} from '../check/run-checks.ts';
import { findSubject, officialPath, type Subject, subjectAt, subjectsFile } from '../check/subject.ts';
import { type Lane, lanes } from '../client/official/lanes.ts';
import { bundledName } from '../config/config.ts';
import { ParityError } from '../errors.ts';
import { type GoldenFolders, versionNamed } from '../golden/select.ts';
import { passes } from '../report/report.ts';
import { parseReportRequests, type ReportRequest, showsTraffic } from '../report/write.ts';
import type { FaultCheck } from './check-faults.ts';
import type { CommandContext } from './command-context.ts';
import { mustBeSeed } from './fault-options.ts';
import { type GateOptions, gateOptions, openGate } from './gate-options.ts';
import { examples, exitCodes } from './help.ts';
import { commaList, goldensOption, mustBePort, wireOption } from './options.ts';
import { ProgressLine } from './progress.ts';
import { type ReportOptions, reportOptions, writeReports } from './report-options.ts';
import {
  openSelection,
  printPlan,
  type SelectionOptions,
  selectionOptions,
  traceKeeping,
} from './selection-options.ts';

type CheckCommandOptions = ReportOptions &
  GateOptions &
  SelectionOptions & {
    subject: string | undefined;
    'subject-url': string | undefined;
    client: string | undefined;
    '--'?: readonly string[];
    codex: string | undefined;
    driver: DriverKind | undefined;
    scenario: string | undefined;
    lane: Lane;
    'backend-port': number | undefined;
    faults: boolean | undefined;
    vary: number | undefined;
    wire: 'tls' | undefined;
    timeout: number;
    goldens: GoldenFolders;
  };

/** The longest time limit of a scenario in seconds: a day. */
const longestTimeout = 86_400;

const laneSetups: Readonly<Record<Lane, string>> = {
  chatgpt: 'ChatGPT sign-in',
  'api-key': 'API key',
  'free-plan': 'ChatGPT sign-in with the plan free',
  'business-plan': 'ChatGPT sign-in with the plan team, enterprise or business',
  fedramp: 'ChatGPT sign-in with an account of a government agency',
  'base-url': 'ChatGPT sign-in; openai_base_url points to the proxy',
  'provider-openai': 'ChatGPT sign-in; a model provider with the name OpenAI points to the proxy',
  provider: 'ChatGPT sign-in; a model provider with another name points to the proxy',
};

const lanesHelp = `Lanes:\n${lanes.map((lane) => `  ${lane.padEnd(17)}${laneSetups[lane]}`).join('\n')}`;

export function checkCommand({ signal, exit }: CommandContext): CommandModule<object, CheckCommandOptions> {
  return {
    command: 'check',
    describe: 'Run scenarios through a proxy and compare its traffic with the goldens',
    builder: (yargs) =>
      yargs
        .usage(
          '$0 check [options]\n$0 check --client [NAME] [options] -- COMMAND\n\n' +
            'Runs each scenario with a client in front of the proxy and a simulated backend behind it. Compares what the proxy ' +
            'sends upstream with the golden (parity), and what it receives with what it passes on, in both directions ' +
            '(request and response neutrality). Needs no account.\n\n' +
            'With --client, a client is checked instead: COMMAND runs for each scenario of one prompt, and what it sends is ' +
            'compared with what the official client sends. Its own prompts, instructions and tools are listed, not judged.',
        )
        .option('subject', {
          type: 'string',
          describe: `The proxy to check: "${bundledName}", or a name from ${subjectsFile}`,
          defaultDescription: bundledName,
        })
        .option('subject-url', {
          type: 'string',
          describe: `Check a proxy that is already running, by its base URL; without a path, ${officialPath} is checked; needs --backend-port`,
          conflicts: 'subject',
        })
        .option('client', {
          type: 'string',
          describe: `Check a client: the command after --, or a name from ${subjectsFile}`,
          conflicts: ['subject', 'subject-url', 'driver', 'backend-port'],
        })
        .option('codex', {
          type: 'string',
          describe:
            'Versions of the official client, separated by commas; "latest" is the newest with goldens',
          defaultDescription: 'all that have goldens',
        })
        .option('scenario', {
          type: 'string',
          describe: 'Scenarios, separated by commas',
          defaultDescription: 'all that have goldens',
        })
        .option('lane', {
          requiresArg: true,
          choices: lanes,
          default: 'chatgpt' as const,
          defaultDescription: 'chatgpt',
          describe: 'How the client is set up (see below)',
        })
        .option('driver', {
          requiresArg: true,
          choices: driverKinds,
          // A default would conflict with --client.
          defaultDescription: 'replay',
          describe: "What plays the client: a replay of the golden, the official client, or OpenAI's library",
        })
        .option('backend-port', {
          requiresArg: true,
          type: 'number',
          describe: 'Port of the simulated backend; point the upstream of your proxy there',
          defaultDescription: 'any free port',
        })
        .option('faults', {
          type: 'boolean',
          conflicts: [
            'client',
            'driver',
            'list',
            'last-failed',
            'shard',
            'bail',
            'baseline',
            'update-baseline',
          ],
          describe:
            'Check what clients of the proxy see when the backend, its token endpoint or its TLS fails, at every step of some ' +
            'scenarios: it must be what they see without the proxy',
        })
        .option('vary', {
          requiresArg: true,
          type: 'number',
          conflicts: 'faults',
          describe:
            'Vary by this seed how bytes are split, frames, pings, compression and speed: it must not change a verdict',
        })
        .option('wire', {
          ...wireOption,
          conflicts: 'faults',
          describe:
            'Compare TLS handshakes too. Only a proxy with "upstream: https", and a client that connects to the official hosts, have them',
          defaultDescription: 'tls if the baseline names wire/tls-…',
        })
        .option('timeout', {
          requiresArg: true,
          type: 'number',
          default: 30,
          describe: 'Time limit of each scenario, in seconds',
        })
        .options(reportOptions)
        .option('goldens', goldensOption())
        .options(selectionOptions)
        .options(gateOptions)
        .epilogue(
          `${lanesHelp}\n\n${examples([
            ['Check the bundled proxy against all goldens', 'codex-parity check'],
            [
              `Check your proxy in CI; ${subjectsFile} says how to start it`,
              'codex-parity check --subject mine --report junit=parity.xml --report github=-',
            ],
            [
              'Accept all that is wrong now, so that only new gaps fail',
              'codex-parity check --subject mine --update-baseline',
            ],
            [
              'Check a running proxy with the upstream http://127.0.0.1:9100/backend-api/codex',
              'codex-parity check --subject-url http://127.0.0.1:8317/v1 --backend-port 9100',
            ],
            [
              'Check with a client that uses your proxy as a model provider',
              'codex-parity check --subject mine --lane provider',
            ],
            [
              'Check a client in fast mode: its command, with placeholders',
              'codex-parity check --client --scenario fast -- my-client --url={baseUrl} --tier={tier} {prompt}',
            ],
            [
              'Check what clients of your proxy see when the backend fails',
              'codex-parity check --subject mine --faults',
            ],
            [
              'Check with the real official client, installed from npm when needed',
              'codex-parity check --driver codex --codex 0.169.0',
            ],
          ])}\n\n${exitCodes('parity')}`,
        ),
    handler: async (options) => {
      const tested = testedBy(options);
      const reports = parseReportRequests(options.report);
      if (!(options.timeout > 0 && options.timeout <= longestTimeout)) {
        throw new ParityError(
          'usage',
          `--timeout "${options.timeout}" must be above 0 and at most ${longestTimeout} seconds`,
        );
      }
      if (options.vary !== undefined) mustBeSeed(options.vary);
      const { lane, goldens } = options;
      const { about } = tested;
      if (options.faults === true) {
        const { checkFaults } = await import('./check-faults.ts');
        return checkFaults(faultCheckOf(options, reports), { signal, exit });
      }
      const selection = openSelection({ ...about, namesScenarios: options.scenario !== undefined }, options);
      const gate = openGate(about.subject, about.driver, options);
      const line = new ProgressLine();
      const checks: RunOptions = {
        lane,
        goldens,
        versions: commaList('codex', options.codex)?.map((name) => versionNamed(goldens, name)),
        scenarios: commaList('scenario', options.scenario),
        timeLimit: options.timeout * 1000,
        vary: options.vary,
        comparesTls: options.wire === 'tls' || gate.names('wire/tls'),
        narrow: selection.narrow,
        ...(options.bail === true ? { endsRun: gate.fails } : {}),
        traces: traceKeeping(options['keep-traces'], gate),
        keepsTraffic: reports.some(showsTraffic),
        signal,
        onProgress: line.show,
      };
      if (options.list === true) return printPlan(about, tested.plan(checks), reports);
      const run = await tested.run(checks).finally(() => line.clear());
      const report = gate.judge(
        { ...about, scenarios: run.results, selection: selection.selection(run.isComplete) },
        { mayUpdate: run.error === undefined },
      );
      selection.remember(report);
      await writeReports(report, reports, options);
      if (run.error !== undefined) throw run.error;
      if (!passes(report)) exit(1);
    },
  };
}

/** What `--faults` checks. Throws ParityError. */
function faultCheckOf(options: CheckCommandOptions, reports: readonly ReportRequest[]): FaultCheck {
  return {
    ...{ subject: subjectOf(options), lane: options.lane, goldens: options.goldens, reports },
    versions: commaList('codex', options.codex),
    scenarios: commaList('scenario', options.scenario),
    backendPort: options['backend-port'] ?? 0,
    timeLimit: options.timeout * 1000,
  };
}

/** What a command line checks, and how. */
type Tested = {
  readonly about: { readonly subject: string; readonly driver: string };
  readonly plan: (options: RunOptions) => readonly PlannedCheck[];
  readonly run: (options: RunOptions) => Promise<CheckRun>;
};

function testedBy(options: CheckCommandOptions): Tested {
  const {
    client: clientName,
    '--': command = [],
    driver = 'replay',
    'backend-port': backendPort = 0,
  } = options;
  if (clientName !== undefined) {
    const client = findClient(clientName, command, process.cwd());
    return {
      about: { subject: client.name, driver: clientDriver },
      plan: (run) => planClientChecks({ ...run, client }),
      run: (run) => runClientChecks({ ...run, client }),
    };
  }
  if (command.length > 0)
    throw new ParityError(
      'usage',
      'a command after -- is a client: add --client, or describe a proxy in a file',
    );
  mustBePort('backend-port', backendPort);
  const subject = subjectOf(options);
  return {
    about: { subject: subject.name, driver },
    plan: (run) => planChecks({ ...run, subject, driver, backendPort }),
    run: (run) => runChecks({ ...run, subject, driver, backendPort }),
  };
}

function subjectOf({
  subject: name,
  'subject-url': subjectUrl,
  'backend-port': backendPort = 0,
  lane,
}: CheckCommandOptions): Subject {
  if (subjectUrl === undefined) return findSubject(name ?? bundledName, process.cwd());
  const subject = subjectAt(subjectUrl);
  if (backendPort !== 0) return subject;
  const path = lane === 'api-key' ? '/v1' : officialPath;
  throw new ParityError(
    'usage',
    `--subject-url needs --backend-port: choose a free port such as 9100, and set the upstream of your proxy to http://127.0.0.1:9100${path}`,
  );
}
