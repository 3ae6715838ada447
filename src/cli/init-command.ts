import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { CommandModule } from 'yargs';
import { configText } from '../config/config.ts';
import { configFiles } from '../config/config-file.ts';
import { placeholders, type SubjectConfig } from '../config/subject-config.ts';
import { ParityError } from '../errors.ts';
import { writeWhole } from '../files.ts';
import { chooseFrom } from '../suggestion.ts';
import type { CommandContext } from './command-context.ts';
import { examples } from './help.ts';
import { progress } from './progress.ts';

type InitOptions = {
  name: string | undefined;
  path: string | undefined;
  env: string[];
  upstream: NonNullable<SubjectConfig['upstream']> | undefined;
  auth: NonNullable<SubjectConfig['auth']> | undefined;
  'client-key': string | undefined;
  example: string | undefined;
  '--'?: string[];
};

/** The configurations of known proxies. */
const exampleFolder = join(import.meta.dirname, '..', '..', 'examples');

const [, fileToWrite] = configFiles;

const placeholderHelp = Object.entries(placeholders)
  .map(([name, meaning]) => `  ${`{${name}}`.padEnd(17)}${meaning.replaceAll('`', '')}`)
  .join('\n');

export function initCommand({ signal }: CommandContext): CommandModule<object, InitOptions> {
  return {
    command: 'init',
    describe: `Write a first ${fileToWrite} for your proxy`,
    builder: (yargs) =>
      yargs
        .usage(
          '$0 init [options]\n$0 init [options] -- COMMAND…\n\n' +
            `Asks how to start your proxy, and writes ${fileToWrite}. With a command, or without a terminal, it asks nothing.`,
        )
        .option('name', { type: 'string', describe: 'Name of the subject', defaultDescription: 'the folder' })
        .option('path', {
          type: 'string',
          describe: 'Base path of its Responses API, such as /v1',
          defaultDescription: '/backend-api/codex',
        })
        .option('env', {
          requiresArg: true,
          type: 'string',
          array: true,
          default: [],
          defaultDescription: 'none',
          describe: 'Environment variable for it, as NAME=VALUE with placeholders; repeatable',
        })
        .option('upstream', {
          requiresArg: true,
          choices: ['http', 'https'] as const,
          describe: 'https: its upstream cannot be set, and it uses the HTTP proxy in HTTPS_PROXY',
          defaultDescription: 'http',
        })
        .option('auth', {
          requiresArg: true,
          choices: ['codex', 'cliproxyapi'] as const,
          describe: 'The form of the sign-in file {auth}',
          defaultDescription: 'codex',
        })
        .option('client-key', { type: 'string', describe: 'The API key that its clients need' })
        .option('example', {
          requiresArg: true,
          type: 'string',
          describe: `Copy the configuration of a known proxy: ${exampleNames().join(', ')}`,
        })
        .epilogue(
          `Placeholders:\n${placeholderHelp}\n\n${examples([
            ['Answer questions', 'codex-parity init'],
            [
              'Give everything at once',
              'codex-parity init --name mine --path /v1 -- ./my-proxy --port {port} --upstream {upstream} --auth {auth}',
            ],
            ['Start from a known proxy', 'codex-parity init --example codex-lb'],
          ])}`,
        ),
    handler: async (options) => {
      mustBeAlone(options);
      const existing = configFiles.find((name) => existsSync(name));
      if (existing !== undefined)
        throw new ParityError('usage', `${existing} exists already: add a subject to it, or remove it first`);
      const { name, text } = await chosen(options, signal);
      writeWhole(fileToWrite, text);
      progress(`wrote ${fileToWrite}`);
      for (const lack of lacksOf(text)) progress(`note: ${lack}`);
      const word = /^[\w.-]+$/.test(name) ? name : JSON.stringify(name);
      progress(`check it with: codex-parity check --subject ${word} --codex latest --scenario default,fast`);
    },
  };
}

/** What a configuration must have in some form, and has not. */
function lacksOf(text: string): string[] {
  const has = (...words: readonly string[]) => words.some((word) => text.includes(word));
  return [
    ...(has('{port}') ? [] : ['nothing uses {port}: the proxy must listen on this port']),
    ...(has('{upstream}', '{origin}', 'upstream: https')
      ? []
      : ['nothing uses {upstream} or {origin}: the requests of the proxy must go to this URL']),
  ];
}

/** Throws ParityError for an example together with what describes another proxy. */
function mustBeAlone(options: InitOptions): void {
  if (options.example === undefined) return;
  const { '--': command = [], env } = options;
  const single = (['name', 'path', 'upstream', 'auth', 'client-key'] as const).filter(
    (name) => options[name] !== undefined,
  );
  const [ignored] = [
    ...single.map((name) => `--${name}`),
    ...(env.length > 0 ? ['--env'] : []),
    ...(command.length > 0 ? ['a command after --'] : []),
  ];
  if (ignored === undefined) return;
  throw new ParityError(
    'usage',
    `use --example or ${ignored}, not both: edit the file that --example writes`,
  );
}

/** The name of the first subject, and the text of the file. */
async function chosen(options: InitOptions, signal: AbortSignal): Promise<{ name: string; text: string }> {
  const { example, '--': command = [] } = options;
  if (example !== undefined) return { name: example, text: exampleText(example) };
  if (command.length === 0 && process.stdin.isTTY) {
    const { askForSubject } = await import('./init-questions.ts');
    const { name, config } = await askForSubject(defaultName(), signal);
    return { name, text: configText(name, config) };
  }
  if (command.length === 0) {
    throw new ParityError(
      'usage',
      'init asks its questions in a terminal, and this is not one: give the command of your proxy after --, or use --example (see codex-parity init --help)',
    );
  }
  const { name = defaultName(), path, upstream, auth, 'client-key': clientKey } = options;
  const env = Object.fromEntries(options.env.map(variable));
  return {
    name,
    text: configText(name, {
      command,
      ...(path === undefined ? {} : { path }),
      ...(options.env.length === 0 ? {} : { env }),
      ...(upstream === undefined ? {} : { upstream }),
      ...(auth === undefined ? {} : { auth }),
      ...(clientKey === undefined ? {} : { clientKey }),
    }),
  };
}

function variable(text: string): [string, string] {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  throw new ParityError('usage', `--env "${text}" is not NAME=VALUE`);
}

function defaultName(): string {
  return basename(process.cwd()) || 'mine';
}

function exampleNames(): string[] {
  if (!existsSync(exampleFolder)) return [];
  return readdirSync(exampleFolder).filter((name) => existsSync(join(exampleFolder, name, fileToWrite)));
}

function exampleText(name: string): string {
  const known = exampleNames();
  if (known.includes(name)) return readFileSync(join(exampleFolder, name, fileToWrite), 'utf8');
  throw new ParityError('usage', `unknown example "${name}": ${chooseFrom(name, known)}`);
}
