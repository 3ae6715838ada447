import { configFiles, linePattern, readConfig, type SubjectReady } from '../config/config.ts';
import { ParityError } from '../errors.ts';
import type { Readiness } from './readiness.ts';

/** What is checked: the bundled proxy, a program that is started for each scenario, or a proxy that runs already. */
export type Subject =
  | { readonly kind: 'bundled'; readonly name: string }
  | {
      readonly kind: 'command';
      readonly name: string;
      /** Program and arguments, with placeholders: see `Placeholders`. */
      readonly command: readonly string[];
      /** Path of its Responses API. */
      readonly path: string;
      readonly ready: Readiness;
    }
  | { readonly kind: 'url'; readonly name: string; readonly url: URL };

/** The values of the placeholders `{port}`, `{upstream}`, … in a subject's command. */
export type Placeholders = {
  /** The port to listen on, on 127.0.0.1. */
  readonly port: number;
  /** Base URL of the backend: http://127.0.0.1:PORT/backend-api/codex, or http://127.0.0.1:PORT/v1 with an API key. */
  readonly upstream: string;
  /** Path of a file with a made-up sign-in, in the format of the official client's auth.json. */
  readonly auth: string;
  /** The version of the official client whose goldens are checked. */
  readonly codex: string;
  /** Folder of the goldens. */
  readonly goldens: string;
};

/** Whether a subject uses the made-up sign-in rather than its own. */
export function takesSignIn(subject: Subject): boolean {
  if (subject.kind === 'command') return subject.command.some((word) => word.includes('{auth}'));
  return subject.kind === 'bundled';
}

/** The base path of the official client's requests. */
export const officialPath = '/backend-api/codex';

/** The base path of the OpenAI API for programs, of a subject at `url`. The bundled proxy has a separate one. */
export function programPath({ kind }: Subject, url: URL): string {
  return kind === 'bundled' ? '/v1' : url.pathname;
}

export const bundledName = 'bundled';
export const [subjectsFile] = configFiles;

/** Finds a subject by name: the bundled proxy, or one of the configuration file in `folder`. Throws ParityError. */
export function findSubject(name: string, folder: string): Subject {
  if (name === bundledName) return { kind: 'bundled', name };
  const configured = configuredSubjects(folder);
  const subject = configured.find((candidate) => candidate.name === name);
  if (subject !== undefined) {
    mustKnowPlaceholders(name, subject.command);
    return subject;
  }
  const names = [bundledName, ...configured.map((candidate) => candidate.name)].join(' or ');
  throw new ParityError(
    'unknown-subject',
    `unknown subject "${name}": choose ${names}; or add it to ${subjectsFile}; or use --subject-url`,
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

/** Whether only one scenario at a time can be checked: the subject runs already, or the backend's port is fixed. */
export function servesOneAtATime({ kind }: Subject, backendPort: number): boolean {
  return kind === 'url' || backendPort !== 0;
}

const placeholders = [
  'port',
  'upstream',
  'auth',
  'codex',
  'goldens',
] as const satisfies (keyof Placeholders)[];

export function fillPlaceholders(command: readonly string[], values: Placeholders): string[] {
  return command.map((word) =>
    placeholders.reduce((text, name) => text.replaceAll(`{${name}}`, String(values[name])), word),
  );
}

/** Throws ParityError for a placeholder that does not exist. A word with white space may be a script with braces of its own. */
function mustKnowPlaceholders(subject: string, command: readonly string[]): void {
  const known: ReadonlySet<string> = new Set(placeholders);
  const used = command
    .filter((word) => !/\s/.test(word))
    .flatMap((word) => [...word.matchAll(/(?<!\$)\{([a-z_]+)\}/g)].map(([, name = '']) => name));
  const unknown = used.find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw new ParityError(
    'usage',
    `subject ${subject} has the unknown placeholder {${unknown}} in its command: choose from {${placeholders.join('}, {')}}`,
  );
}

type ConfiguredSubject = Extract<Subject, { kind: 'command' }>;

function configuredSubjects(folder: string): ConfiguredSubject[] {
  return Object.entries(readConfig(folder).subjects ?? {}).map(([name, { command, path, ready }]) => ({
    kind: 'command',
    name,
    command,
    path: path ?? officialPath,
    ready: readinessOf(ready),
  }));
}

function readinessOf({ path = '/', status, line }: SubjectReady = {}): Readiness {
  const pattern = line === undefined ? undefined : linePattern(line);
  if (pattern !== undefined) return { type: 'line', pattern };
  return { type: 'http', path, ...(status === undefined ? {} : { status }) };
}
