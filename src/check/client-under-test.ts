import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import {
  type ClientConfig,
  type ClientPlaceholder,
  clientPlaceholders,
  type SettingPlaceholder,
} from '../config/client-config.ts';
import { readConfig } from '../config/config.ts';
import { configFiles } from '../config/config-file.ts';
import { unknownPlaceholder, unknownText } from '../config/texts.ts';
import { ParityError } from '../errors.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { didYouMean } from '../suggestion.ts';

/** A client that is checked: a command that sends one prompt. Its texts have placeholders: see src/config/client-config.ts. */
export type ClientUnderTest = {
  readonly name: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Texts of files, by their paths below `{home}`. */
  readonly files: Readonly<Record<string, string>>;
};

/** What reports and baselines have in place of a driver: the client plays itself. */
export const clientDriver = 'client';

/** The values of the placeholders in a scenario. A setting that the scenario does not change has none. */
export type ClientPlaceholders = Readonly<
  Record<Exclude<ClientPlaceholder, SettingPlaceholder>, string> & Partial<Record<SettingPlaceholder, string>>
>;

/**
 * The client of a command line: a command, a client of the configuration file in `folder`, or a command with the name that
 * reports give it. Throws ParityError.
 */
export function findClient(name: string, command: readonly string[], folder: string): ClientUnderTest {
  const [program] = command;
  if (program === '') throw new ParityError('usage', 'the command after -- is empty: name a program to run');
  if (program !== undefined) {
    const unknown = command
      .map((word) => unknownPlaceholder(word, clientPlaceholders))
      .find((word) => word !== undefined);
    if (unknown !== undefined)
      throw new ParityError(
        'usage',
        `the command after -- has the ${unknownText(unknown, clientPlaceholders)}`,
      );
    return configuredClient(name || programName(command), { command: [...command] }, folder);
  }
  if (name === '')
    throw new ParityError(
      'usage',
      '--client needs a command: put it after --, with {prompt} where the prompt goes, or name a client of the configuration file',
    );
  const { clients = {} } = readConfig(folder);
  const config = Object.hasOwn(clients, name) ? clients[name] : undefined;
  if (config !== undefined) return configuredClient(name, config, folder);
  const names = Object.keys(clients);
  const advice =
    names.length === 0
      ? `put a command after --, or add it to "clients" in ${configFiles[1]}`
      : `${didYouMean(name, names)}choose ${names.join(' or ')}, or put a command after --`;
  throw new ParityError('unknown-subject', `unknown client "${name}": ${advice}`);
}

/** A client of the configuration file in `folder`. */
function configuredClient(
  name: string,
  { command, env = {}, files = {} }: ClientConfig,
  folder: string,
): ClientUnderTest {
  return { name, command: command.map((word) => fromAnyFolder(word, folder)), env, files };
}

/** A word that names a file below `folder` with an absolute path: the client runs in another folder. */
function fromAnyFolder(word: string, folder: string): string {
  const path = resolve(folder, word);
  return /[\\/]|\.\w+$/.test(word) && existsSync(path) ? path : word;
}

/** The name of a program, after `env` and variables. */
function programName(command: readonly string[]): string {
  const [program = 'client'] = command.filter((word) => word !== 'env' && !/^\w+=/.test(word));
  return basename(program).replace(/\.(?:[cm]?[jt]s|py|exe|cmd)$/, '');
}

/** Whether a client uses one of these placeholders. */
export function usesPlaceholder(
  { command, env, files }: ClientUnderTest,
  ...names: readonly ClientPlaceholder[]
): boolean {
  const texts = [...command, ...Object.values(env), ...Object.values(files)];
  return names.some((name) => texts.some((text) => text.includes(`{${name}}`)));
}

/** The settings of a configuration by the placeholders that stand for them, and what they are. */
const settings: Readonly<
  Record<string, { readonly placeholder: SettingPlaceholder; readonly what: string }>
> = {
  service_tier: { placeholder: 'tier', what: 'the service tier' },
  model_reasoning_effort: { placeholder: 'effort', what: 'the reasoning effort' },
  model_verbosity: { placeholder: 'verbosity', what: 'the verbosity' },
  web_search: { placeholder: 'webSearch', what: 'the web search' },
};

/** The values of the settings of a scenario that are in its configuration. */
export function settingValues({ client }: Scenario): Partial<Record<SettingPlaceholder, string>> {
  return Object.fromEntries(
    Object.entries(client.config).flatMap(([key, value]) => {
      const setting = settings[key];
      return setting === undefined ? [] : [[setting.placeholder, String(value)]];
    }),
  );
}

/** Why a client cannot play a scenario; undefined if it can. Without a setting it would only seem to be wrong. */
export function whyNotByClient(client: ClientUnderTest, scenario: Scenario): string | undefined {
  const task = scenario.client;
  if (!('prompt' in task)) return 'it takes more than one prompt, or what only the official client does';
  const isTold = (...names: readonly ClientPlaceholder[]) => usesPlaceholder(client, ...names);
  const renews = task.expired === true || scenario.faults?.upgrades?.includes(401) === true;
  const untold = [
    ...Object.keys(task.config).flatMap((key) => {
      const { placeholder, what } = settings[key] ?? { what: key };
      if (isTold('codexHome') || (placeholder !== undefined && isTold(placeholder))) return [];
      return [untoldText(what, ...(placeholder === undefined ? [] : [placeholder]), 'codexHome')];
    }),
    ...(task.model === undefined || isTold('model', 'codexHome')
      ? []
      : [untoldText('the model', 'model', 'codexHome')]),
    ...(task.images === undefined || isTold('image') ? [] : [untoldText('the image', 'image')]),
    ...(task.outputSchema === undefined || isTold('schema') ? [] : [untoldText('the schema', 'schema')]),
    ...(task.mcpServers === undefined || isTold('codexHome')
      ? []
      : [untoldText('the MCP server', 'codexHome')]),
    ...(!renews || isTold('auth', 'codexHome') ? [] : [untoldText('the refresh token', 'auth', 'codexHome')]),
  ];
  return untold[0];
}

function untoldText(what: string, ...placeholders: readonly ClientPlaceholder[]): string {
  const names = placeholders.map((name) => `{${name}}`);
  return `the command does not pass on ${what}: add ${names.join(' or ')}`;
}

/** Words with the values of their placeholders, without those that have a placeholder without a value. */
export function filledWords(words: readonly string[], values: ClientPlaceholders): string[] {
  const hasAll = (word: string) =>
    placeholdersIn(word).every((name) => !isPlaceholder(name) || values[name] !== undefined);
  return words.filter(hasAll).map((word) => filledText(word, values));
}

/** A text with the values of its placeholders. Braces without a known name stay. */
export function filledText(text: string, values: ClientPlaceholders): string {
  return text.replaceAll(braces, (all, name: string) => (isPlaceholder(name) ? (values[name] ?? '') : all));
}

const braces = /\{(\w+)\}/g;

function placeholdersIn(text: string): string[] {
  return [...text.matchAll(braces)].map(([, name = '']) => name);
}

function isPlaceholder(name: string): name is ClientPlaceholder {
  return Object.hasOwn(clientPlaceholders, name);
}
