import { configFiles, readConfig } from '../config/config.ts';
import { ParityError } from '../errors.ts';

/**
 * What is under test: the proxy that comes along, a program that is started for each scenario, or one that runs
 * already.
 */
export type Subject =
  | { readonly kind: 'bundled'; readonly name: string }
  | {
      readonly kind: 'command';
      readonly name: string;
      /** May hold {port}, {upstream}, {auth}, {codex} and {goldens}, see `placeholders`. */
      readonly command: readonly string[];
      /** Where it serves the responses API, below its origin; the official client's own path unless given. */
      readonly path: string;
    }
  | { readonly kind: 'url'; readonly name: string; readonly url: URL };

/** What the placeholders in a subject's command stand for. */
export type Placeholders = {
  /** The port to listen on, at 127.0.0.1. */
  readonly port: number;
  /** The base URL of the backend: http://127.0.0.1:PORT/backend-api/codex, with an API key http://127.0.0.1:PORT/v1. */
  readonly upstream: string;
  /** The made-up sign-in: a file in the form of the official client's auth.json. */
  readonly auth: string;
  /** The version whose goldens are checked. */
  readonly codex: string;
  /** The folder of the goldens that are checked against. */
  readonly goldens: string;
};

/** Whether a subject is given the made-up sign-in, and has none of its own. */
export function takesSignIn(subject: Subject): boolean {
  if (subject.kind === 'command') return subject.command.some((word) => word.includes('{auth}'));
  return subject.kind === 'bundled';
}

/** The path under which the official client itself asks for responses. */
export const officialPath = '/backend-api/codex';

/**
 * Below which path of a subject at `url` programs find the APIs of OpenAI; the bundled proxy has one of its own for
 * them.
 */
export function programPath({ kind }: Subject, url: URL): string {
  return kind === 'bundled' ? '/v1' : url.pathname;
}

export const bundledName = 'bundled';
export const [subjectsFile] = configFiles;

/** A subject by its name: the bundled proxy, or one that the file in the working folder names. Throws ParityError. */
export function findSubject(name: string, folder: string): Subject {
  if (name === bundledName) return { kind: 'bundled', name };
  const configured = configuredSubjects(folder);
  const subject = configured.find((one) => one.name === name);
  if (subject !== undefined) return subject;
  const names = [bundledName, ...configured.map((one) => one.name)].join(', ');
  throw new ParityError(
    'unknown-subject',
    `there is no subject "${name}": choose from ${names}, name one in ${subjectsFile}, or use --subject-url`,
  );
}

/** A proxy that is running already. Throws ParityError for what is no http URL. */
export function subjectAt(text: string): Subject {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:') {
    throw new ParityError(
      'usage',
      `--subject-url "${text}" must be an http URL, such as http://127.0.0.1:8317/v1`,
    );
  }
  if (url.pathname === '/') url.pathname = officialPath;
  return { kind: 'url', name: url.href, url };
}

/** Where to connect to for a URL; an IPv6 address comes without its brackets. */
export function hostOf(url: URL): { readonly host: string; readonly port: number } {
  return { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(url.port || 80) };
}

export function fillPlaceholders(command: readonly string[], values: Placeholders): string[] {
  return command.map((word) =>
    word.replaceAll(/\{(port|upstream|auth|codex|goldens)\}/g, (_, name: keyof Placeholders) =>
      String(values[name]),
    ),
  );
}

function configuredSubjects(folder: string): Subject[] {
  return Object.entries(readConfig(folder).subjects ?? {}).map(([name, { command, path }]) => ({
    kind: 'command',
    name,
    command,
    path: path ?? officialPath,
  }));
}
