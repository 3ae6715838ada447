import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { CommandModule } from 'yargs';
import { check, failedCheck, onlyReplayed } from '../check/check.ts';
import { inParallel } from '../check/in-parallel.ts';
import { beyondSubjects } from '../check/lane.ts';
import { cannotAsk } from '../check/openai.ts';
import type { CheckOptions, Driver } from '../check/options.ts';
import { bundledName, findSubject, type Subject, subjectAt, subjectsFile } from '../check/subject.ts';
import { installOfficialClient } from '../client/install/install.ts';
import { isPointed, type Lane, lanes } from '../client/official/lanes.ts';
import { ParityError } from '../errors.ts';
import { goldenPath, readGoldenOf } from '../golden/file.ts';
import type { Report } from '../report/report.ts';
import { count, textReport } from '../report/text.ts';
import { parseReportRequests, standardOutput, writeReport } from '../report/write.ts';
import type { Scenario } from '../scenario/definition.ts';
import { loadScenario } from '../scenario/scenario.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../tap/certificate-authority.ts';
import type { CommandContext } from './context.ts';
import { type GoldenFile, list, selectGoldens } from './goldens.ts';
import { goldensOption, mustBePort } from './options.ts';
import { progress } from './progress.ts';

type Options = {
  subject: string | undefined;
  'subject-url': string | undefined;
  codex: string | undefined;
  driver: Driver['kind'];
  scenario: string | undefined;
  lane: Lane;
  'backend-port': number;
  report: string[];
  timeout: number;
  goldens: string;
};

/** How many scenarios a subject may fail in before the others are left out: it would most likely fail in all. */
const patience = 3;

/** Seconds that one scenario may be given: a day. */
const longest = 86_400;

export function checkCommand({ signal, exit }: CommandContext): CommandModule<object, Options> {
  return {
    command: 'check',
    describe: 'Drive scenarios through a proxy and compare what it sends with the goldens',
    builder: (yargs) =>
      yargs
        .option('subject', {
          type: 'string',
          describe: `What to check: "${bundledName}" (the proxy that comes along), or a name from ${subjectsFile}`,
          defaultDescription: bundledName,
        })
        .option('subject-url', {
          type: 'string',
          describe: 'Check a proxy that runs already, by the base URL that clients are given',
          conflicts: 'subject',
        })
        .option('codex', {
          type: 'string',
          describe: 'Versions of the official client, separated by commas',
          defaultDescription: 'all that have goldens',
        })
        .option('driver', {
          requiresArg: true,
          choices: ['replay', 'codex', 'openai-responses', 'openai-chat'] as const,
          default: 'replay' as const,
          describe: 'Who plays the client: the golden, the official client itself, or the library of OpenAI',
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
          describe:
            'How the client is signed in and pointed at the proxy; what must leave the proxy stays the same',
        })
        .option('backend-port', {
          requiresArg: true,
          type: 'number',
          default: 0,
          describe: 'Where the simulated backend listens: point the upstream of your proxy there',
          defaultDescription: 'any free port',
        })
        .option('report', {
          requiresArg: true,
          type: 'string',
          array: true,
          default: [],
          describe: 'Write a report, FORMAT=FILE: text, json, junit or github; "-" is standard output',
        })
        .option('timeout', {
          requiresArg: true,
          type: 'number',
          default: 30,
          describe: 'Seconds that one scenario may take',
        })
        .option('goldens', goldensOption)
        .example('$0 check', 'check the bundled proxy against all goldens')
        .example('$0 check --driver codex --codex 0.169.0', 'the same with the real client of one version')
        .example(
          '$0 check --subject-url http://127.0.0.1:8317/v1 --backend-port 9100',
          'check a proxy whose upstream is http://127.0.0.1:9100/backend-api/codex',
        )
        .example(
          '$0 check --lane provider --subject mine',
          'the client is pointed at the proxy as a provider',
        )
        .example('$0 check --report junit=parity.xml --report github=-', 'reports for CI'),
    handler: async (options) => {
      mustBePort('backend-port', options['backend-port']);
      const subject = subjectOf(options);
      const reports = parseReportRequests(options.report);
      if (!(options.timeout > 0 && options.timeout <= longest)) {
        throw new ParityError(
          'usage',
          `--timeout must be a number of seconds above 0, and ${longest} at most`,
        );
      }
      const { goldens, lane } = options;
      const asked = inLane(
        selectGoldens(goldens, list('codex', options.codex), list('scenario', options.scenario)),
        lane,
      );
      const selected = drivable(asked, options);
      // A subject that runs already, or a port that was named, can serve one scenario at a time only.
      const alone = subject.kind === 'url' || options['backend-port'] !== 0;
      const failures: ParityError[] = [];
      const scenarios = await inParallel(selected, alone ? 1 : availableParallelism(), async (file) => {
        signal.throwIfAborted();
        if (failures.length >= patience) return undefined;
        progress(`checking ${subject.name}: codex ${file.codex}, ${file.scenario}`);
        const golden = readGoldenOf(file, file.path);
        const usual = { ...file, lane: 'chatgpt' };
        const upstream = isPointed(lane) ? readGoldenOf(usual, goldenPath(goldens, usual)) : golden;
        const beyond = beyondSubjects(golden, upstream);
        if (beyond !== undefined) {
          progress(`left out: ${file.scenario} cannot be checked in the lane ${lane}: ${beyond}`);
          return undefined;
        }
        const checked: CheckOptions = {
          lane,
          golden,
          upstream,
          goldens: resolve(goldens),
          subject,
          driver: await driverFor(options.driver, file, signal),
          backendPort: options['backend-port'],
          timeLimit: options.timeout * 1000,
          signal,
        };
        return check(checked).catch((error: unknown) => {
          signal.throwIfAborted();
          if (!(error instanceof ParityError) || error.code !== 'subject-failed') throw error;
          failures.push(error);
          return failedCheck(checked, error);
        });
      });
      if (scenarios.length === 0)
        throw new ParityError('no-golden', `no scenario that was named can be checked in the lane ${lane}`);
      const report: Report = { subject: subject.name, driver: options.driver, scenarios };
      const isTold = failures.length > 0 || reports.some(({ file }) => file === standardOutput);
      if (!isTold) process.stdout.write(textReport(report));
      for (const request of reports) writeReport(report, request);
      if (failures[0] !== undefined)
        throw failed(failures[0], failures.length - 1, selected.length - scenarios.length);
      if (scenarios.some(({ findings }) => findings.length > 0)) exit(1);
    },
  };
}

/** The goldens of a lane. Throws ParityError where there is none. */
function inLane(files: readonly GoldenFile[], lane: Lane): GoldenFile[] {
  const found = files.filter((file) => file.lane === lane);
  if (found.length > 0) return found;
  throw new ParityError(
    'no-golden',
    `there is no golden for the lane ${lane}: there are ${[...new Set(files.map((file) => file.lane))].join(', ')}`,
  );
}

/** The first failure of a subject, and how the other scenarios fared. */
function failed(first: ParityError, further: number, leftOut: number): ParityError {
  const rest = [
    ...(further === 0 ? [] : [`it failed in ${count(further, 'further scenario')}`]),
    ...(leftOut === 0 ? [] : [`${count(leftOut, 'scenario')} left out`]),
  ];
  return new ParityError(first.code, [first.message, ...rest].join('; '), { cause: first });
}

function subjectOf({
  subject: name,
  'subject-url': subjectUrl,
  'backend-port': backendPort,
}: Options): Subject {
  if (subjectUrl === undefined) return findSubject(name ?? bundledName, process.cwd());
  const subject = subjectAt(subjectUrl);
  if (backendPort !== 0) return subject;
  throw new ParityError(
    'usage',
    '--subject-url needs --backend-port: the port that the upstream of your proxy points at',
  );
}

/**
 * Leaves out what the driver cannot play, and says so. Throws ParityError where nothing is left, and for a lane that is
 * the official client's alone.
 */
function drivable(asked: readonly GoldenFile[], { driver, lane }: Options): GoldenFile[] {
  if (driver.startsWith('openai') && isPointed(lane)) {
    throw new ParityError(
      'usage',
      `lane ${lane} is a way to point the official client at a proxy: with driver ${driver} it is chatgpt or api-key`,
    );
  }
  const names = [...new Set(asked.map(({ scenario }) => scenario))];
  const reasons = new Map(names.map((name) => [name, cannotDrive(driver, loadScenario(name))]));
  const left = asked.filter(({ scenario }) => reasons.get(scenario) === undefined);
  const told = [...reasons.values()].filter((reason) => reason !== undefined);
  if (left.length === 0) throw new ParityError('usage', told.join('; '));
  for (const reason of told) progress(`left out: ${reason}`);
  return left;
}

/** Why a driver cannot play a scenario; undefined where it can. */
function cannotDrive(driver: Driver['kind'], scenario: Scenario): string | undefined {
  if (driver === 'replay') return undefined;
  return driver === 'codex' ? onlyReplayed(scenario) : cannotAsk(scenario);
}

async function driverFor(kind: Driver['kind'], { codex }: GoldenFile, signal: AbortSignal): Promise<Driver> {
  if (kind === 'replay') return { kind };
  if (kind === 'openai-responses') return { kind, surface: 'responses' };
  if (kind === 'openai-chat') return { kind, surface: 'chat' };
  const client = await installOfficialClient(codex, { signal, onProgress: progress });
  return { kind, client, authority: await openCertificateAuthority(defaultAuthorityFolder()) };
}
