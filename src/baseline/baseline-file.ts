import { existsSync } from 'node:fs';
import type { Document } from 'yaml';
import { z } from 'zod';
import { clientDriver } from '../check/client-under-test.ts';
import { driverKinds } from '../check/driver.ts';
import { lanes } from '../client/official/lanes.ts';
import { parseYaml, readYaml } from '../config/yaml-file.ts';
import { causeCodes } from '../diff/cause-code.ts';
import { ParityError } from '../errors.ts';
import type { BaselineEntry } from '../report/gate.ts';
import { scenarioNames } from '../scenario/scenario.ts';
import { didYouMean } from '../suggestion.ts';

/** The baseline that is used unless another one is named, if it exists. It is in the folder of the configuration file. */
export const baselineFile = 'parity-baseline.yaml';

/** One text, or a list of them, as a list. */
function oneOrMore<Item extends z.ZodType<string>>(item: Item, problem: string) {
  return z
    .union([item, z.array(item).min(1)], problem)
    .transform((value): string[] => (typeof value === 'string' ? [value] : value));
}

const drivers = [...driverKinds, clientDriver] as const;

const aScenario = 'must be a scenario, or a list of them';
const scenarioPattern = z.string().refine(isScenario, {
  error: ({ input }) =>
    `is not the name of a scenario: ${didYouMean(String(input), scenarioNames())}(see check --list)`,
});

const accepted = z.strictObject({
  code: z
    .enum(causeCodes, {
      error: ({ input }) =>
        `is not the code of a cause: ${didYouMean(String(input), causeCodes)}"codex-parity explain" lists all codes`,
    })
    .describe('The code of the cause, such as session/header-renamed.'),
  name: z
    .string()
    .optional()
    .describe('The header, key or variable that it is about. Default: any. * stands for any text.'),
  place: z
    .string()
    .optional()
    .describe('All its places, as reports print them, with * for any text. Default: any.'),
  scenario: oneOrMore(scenarioPattern, aScenario)
    .optional()
    .describe('The scenarios in which it is accepted. Default: all. * stands for any text.'),
  except: oneOrMore(scenarioPattern, aScenario)
    .optional()
    .describe('Scenarios in which it is not accepted. * stands for any text.'),
  codex: oneOrMore(z.string().min(1), 'must be a version in quotes, or a list of them')
    .optional()
    .describe('The versions at which it is accepted. Default: all. * stands for any text.'),
  lane: oneOrMore(z.enum(lanes), `must be one of ${lanes.join(', ')}, or a list of them`)
    .optional()
    .describe('The lanes in which it is accepted. Default: chatgpt.'),
  driver: oneOrMore(z.enum(drivers), `must be one of ${drivers.join(', ')}, or a list of them`)
    .optional()
    .describe(
      'The drivers with which it is accepted. Default: replay. client is a client that is checked itself.',
    ),
  reason: z.string().min(1, 'must say why it is accepted').describe('Why it is accepted. Reports show it.'),
  until: z.iso
    .date('must be a date such as 2027-01-31')
    .optional()
    .describe('The last day on which it is accepted, in UTC. Default: no end.'),
});

/** A baseline. Exported for its JSON schema. */
export const baselineSchema = z.strictObject({
  subject: z.string().min(1).optional().describe('The subject that the baseline is for. Default: any.'),
  accepted: z.array(accepted).optional().describe('The causes that are accepted.'),
});

/** A baseline as read. `document` is the file with its comments. */
export type Baseline = {
  readonly file: string;
  readonly subject: string | undefined;
  readonly entries: readonly BaselineEntry[];
  readonly document: Document;
};

/** Parses a baseline. Throws ParityError `usage` with the file, the line and the key. */
export function parseBaseline(text: string, file: string): Baseline {
  const { data, document, lineOf } = parseYaml(baselineSchema, text, file);
  const entries = (data.accepted ?? []).map(
    (entry, index): BaselineEntry => ({ line: lineOf(['accepted', String(index)]), ...entry }),
  );
  return { file, subject: data.subject, entries, document };
}

/** Reads a baseline. Throws ParityError. */
export function readBaseline(file: string): Baseline {
  return parseBaseline(readYaml(file), file);
}

/** The baseline that a user chose. */
type BaselineChoice = {
  readonly named: string | undefined;
  /** Whether the file is written after the check, so that it may be missing. */
  readonly created: boolean;
  /** Receives a line if `parity-baseline.yaml` is for another subject. */
  readonly onOther: (line: string) => void;
};

/**
 * The baseline for a subject: the file that was named, otherwise `parity-baseline.yaml` if that exists and is for the
 * subject. Undefined if there is none.
 *
 * @throws ParityError for a file that is not valid, and for a named one that is for another subject, or missing although
 *   it is not `created`.
 */
export function findBaseline(
  subject: string,
  { named, created, onOther }: BaselineChoice,
): Baseline | undefined {
  const file = named ?? baselineFile;
  if ((named === undefined || created) && !existsSync(file)) return undefined;
  const baseline = readBaseline(file);
  if (baseline.subject === undefined || baseline.subject === subject) return baseline;
  if (named === undefined && !created) {
    onOther(`${file} is not used: it is the baseline of subject ${baseline.subject}`);
    return undefined;
  }
  throw new ParityError(
    'usage',
    `${file} is the baseline of subject ${baseline.subject}, not of ${subject}: name another file with --baseline`,
  );
}

/** Whether a pattern names a scenario that exists, or may match one. */
function isScenario(pattern: string): boolean {
  return pattern.includes('*') || scenarioNames().includes(pattern);
}
