import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { SetupRequest } from '../config/subject-config.ts';
import { ParityError, plainReason } from '../errors.ts';
import { type CommandSubject, filled, filledJson, type Placeholders } from './subject.ts';

/** The most characters of an error response that are quoted. */
const longestQuote = 300;

/**
 * Sends the requests that set up a subject that is ready, with the cookies of the responses before. Throws ParityError `subject-failed` if one of them is not answered, or
 * with a status of 400 or more.
 */
export async function setUp(
  { name, setup }: CommandSubject,
  values: Placeholders,
  { timeLimit, signal }: { readonly timeLimit: number; readonly signal: AbortSignal },
): Promise<void> {
  const cookies = new Map<string, string>();
  for (const request of setup) {
    const line = `${request.method} ${filled(request.path, values)}`;
    const failed = (problem: string) =>
      new ParityError('subject-failed', `subject ${name} answers ${line} of its setup ${problem}`);
    const url = `http://127.0.0.1:${values.port}${filled(request.path, values)}`;
    const response = await fetch(url, {
      ...requestOf(request, values, cookies),
      method: request.method,
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeLimit)]),
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      const { cause = error } = error instanceof Error ? error : {};
      throw failed(`not at all: ${plainReason(cause)}`);
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, key = '', value = ''] = /^([^=;]*)=([^;]*)/.exec(cookie) ?? [];
      cookies.set(key.trim(), value.trim());
    }
    const text = (await response.text()).replaceAll(/\s+/g, ' ').slice(0, longestQuote);
    if (response.status >= 400) throw failed(`with ${response.status}: ${text}`);
  }
}

function requestOf(
  { headers = {}, json, form }: SetupRequest,
  values: Placeholders,
  cookies: ReadonlyMap<string, string>,
): RequestInit {
  const own = Object.entries(headers).map(([name, text]): [string, string] => [name, filled(text, values)]);
  const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
  const all: [string, string][] = [
    ...(json === undefined ? [] : [['content-type', 'application/json'] satisfies [string, string]]),
    ...(cookie === '' ? [] : [['cookie', cookie] satisfies [string, string]]),
    ...own,
  ];
  if (form !== undefined) return { headers: all, body: formOf(form, values) };
  if (json === undefined) return { headers: all };
  return { headers: all, body: JSON.stringify(filledJson(json, values)) };
}

function formOf(fields: Readonly<Record<string, string>>, values: Placeholders): FormData {
  const form = new FormData();
  for (const [name, text] of Object.entries(fields)) {
    const value = filled(text, values);
    if (!value.startsWith('@')) form.append(name, value);
    else form.append(name, fileAt(value.slice(1)), basename(value));
  }
  return form;
}

function fileAt(path: string): Blob {
  try {
    return new Blob([readFileSync(path)]);
  } catch (error) {
    throw new ParityError('usage', `cannot read ${path} for the setup of a subject: ${plainReason(error)}`, {
      cause: error,
    });
  }
}
