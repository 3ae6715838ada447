import { type ClientSettings, officialSettings } from '../client/client-settings.ts';
import { bundledName, readConfig } from '../config/config.ts';
import { configFiles } from '../config/config-file.ts';
import {
  linePattern,
  type Placeholder,
  placeholders,
  type SetupRequest,
  type SubjectConfig,
} from '../config/subject-config.ts';
import { ParityError } from '../errors.ts';
import { didYouMean } from '../suggestion.ts';
import type { Readiness } from './readiness.ts';

/** What is checked: the bundled proxy, a program that is started, or a proxy that runs already. */
export type Subject =
  | { readonly kind: 'bundled'; readonly name: string }
  | CommandSubject
  | { readonly kind: 'url'; readonly name: string; readonly url: URL };

/** A program that is started. Its texts have placeholders: see src/config/subject-config.ts. */
export type CommandSubject = {
  readonly kind: 'command';
  readonly name: string;
  readonly command: readonly string[];
  /** Path of its Responses API. */
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Texts of files, by their paths below `{folder}`. */
  readonly files: Readonly<Record<string, string>>;
  readonly ready: Readiness;
  /** Milliseconds that it has to get ready; undefined is the time limit of a scenario. */
  readonly startTime: number | undefined;
  readonly setup: readonly SetupRequest[];
  /** Whether it starts once for all scenarios. */
  readonly once: boolean;
  readonly auth: 'codex' | 'cliproxyapi';
  readonly upstream: 'http' | 'https';
  /** Whether the backend lists the models of the golden, rather than none. */
  readonly listsModels: boolean;
  readonly client: ClientSettings;
};

/** How clients reach a subject: as they reach the official backend, unless the configuration says otherwise. */
export function clientSettings(subject: Subject): ClientSettings {
  return subject.kind === 'command' ? subject.client : officialSettings;
}

/** Whether the backend lists models for a subject. */
export function listsModels(subject: Subject): boolean {
  return subject.kind === 'command' && subject.listsModels;
}

/** The values of the placeholders. */
export type Placeholders = Readonly<Record<Placeholder, string>>;

const credentialPlaceholders: readonly Placeholder[] = [
  'auth',
  'auth_folder',
  'token',
  'id_token',
  'refresh_token',
];

/** Whether a subject uses the made-up sign-in rather than its own. */
export function takesSignIn(subject: Subject): boolean {
  if (subject.kind !== 'command') return subject.kind === 'bundled';
  const { command, env, files, setup } = subject;
  const texts = JSON.stringify([command, env, files, setup]);
  return credentialPlaceholders.some((name) => texts.includes(`{${name}}`));
}

/** The base path of the official client's requests. */
export const officialPath = '/backend-api/codex';

/** The base path of the OpenAI API for programs, of a subject at `url`. The bundled proxy has a separate one. */
export function programPath({ kind }: Subject, url: URL): string {
  return kind === 'bundled' ? '/v1' : url.pathname;
}

/** The file that `codex-parity init` writes. */
export const subjectsFile = configFiles[1];

/** The names that `findSubject` knows. Throws ParityError for a configuration file that is not valid. */
export function subjectNames(folder: string): string[] {
  return [bundledName, ...Object.keys(readConfig(folder).subjects ?? {})];
}

/** Finds a subject by name: the bundled proxy, or one of the configuration file in `folder`. Throws ParityError. */
export function findSubject(name: string, folder: string): Subject {
  if (name === bundledName) return { kind: 'bundled', name };
  const { subjects = {} } = readConfig(folder);
  const config = Object.hasOwn(subjects, name) ? subjects[name] : undefined;
  if (config !== undefined) return configuredSubject(name, config, folder);
  const names = subjectNames(folder);
  throw new ParityError(
    'unknown-subject',
    `unknown subject "${name}": ${didYouMean(name, names)}choose ${names.join(' or ')}; or add it to ${subjectsFile}, as "codex-parity init" does; or use --subject-url`,
  );
}

/** A proxy that runs already, by its base URL. Throws ParityError if it is not an http URL. */
export function subjectAt(text: string): Subject {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:') {
    throw new ParityError(
      'usage',
      `--subject-url "${text}" is not an http URL such as http://127.0.0.1:8317/v1`,
    );
  }
  if (url.pathname === '/') url.pathname = officialPath;
  return { kind: 'url', name: url.href, url };
}

/** Host and port of a URL, for `net.connect`: an IPv6 address without brackets. */
export function hostOf(url: URL): { readonly host: string; readonly port: number } {
  return { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(url.port || 80) };
}

/** Whether only one scenario at a time can be checked: the subject serves all of them, or the backend's port is fixed. */
export function servesOneAtATime(subject: Subject, backendPort: number): boolean {
  return subject.kind === 'url' || (subject.kind === 'command' && subject.once) || backendPort !== 0;
}

/** A text with the values of its placeholders. */
export function filled(text: string, values: Placeholders): string {
  return text.replaceAll(/\{([a-z_]+)\}/g, (all, name: string) => (isPlaceholder(name) ? values[name] : all));
}

/** A value of JSON whose texts are filled. */
export function filledJson(value: unknown, values: Placeholders): unknown {
  return JSON.parse(JSON.stringify(value), (_, part: unknown) =>
    typeof part === 'string' ? filled(part, values) : part,
  );
}

function isPlaceholder(name: string): name is Placeholder {
  return Object.hasOwn(placeholders, name);
}

/** A subject of the configuration file in `folder`. */
export function configuredSubject(name: string, config: SubjectConfig, folder: string): CommandSubject {
  const { command, path = officialPath, env = {}, files = {}, setup = [], start, models = {} } = config;
  const { auth = 'codex', upstream = 'http', clientKey, headers = {} } = config;
  return {
    kind: 'command',
    ...{ name, command, path, env, cwd: config.cwd ?? folder, files, setup, auth, upstream },
    ready: readinessOf(config.ready),
    startTime: config.ready?.timeout === undefined ? undefined : config.ready.timeout * 1000,
    once: start === 'once',
    listsModels: config.modelList === 'golden',
    client: {
      ...(clientKey === undefined ? {} : { key: clientKey }),
      headers: Object.entries(headers),
      models,
    },
  };
}

function readinessOf({ path = '/', status, line }: SubjectConfig['ready'] = {}): Readiness {
  const pattern = line === undefined ? undefined : linePattern(line);
  if (pattern !== undefined) return { type: 'line', pattern };
  return { type: 'http', path, ...(status === undefined ? {} : { status }) };
}
