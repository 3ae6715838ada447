import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { SetupRequest } from '../config/subject-config.ts';
import { ParityError, plainReason } from '../errors.ts';
import { type CommandSubject, filled, filledJson, type Placeholders } from './subject.ts';

/** The most characters of an error response that are quoted. */
const longestQuote = 300;

/**
 * Sends the requests that set up a subject that is ready. Throws ParityError `subject-failed` if one of them is not answered, or
 * with a status of 400 or more.
 */
export async function setUp(
  { name, setup }: CommandSubject,
  values: Placeholders,
  { timeLimit, signal }: { readonly timeLimit: number; readonly signal: AbortSignal },
): Promise<void> {
  for (const request of setup) {
    const line = `${request.method} ${filled(request.path, values)}`;
    const failed = (problem: string) =>
      new ParityError('subject-failed', `subject ${name} answers ${line} of its setup ${problem}`);
    const url = `http://127.0.0.1:${values.port}${filled(request.path, values)}`;
    const response = await fetch(url, {
      ...requestOf(request, values),
      method: request.method,
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeLimit)]),
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      const { cause = error } = error instanceof Error ? error : {};
      throw failed(`not at all: ${plainReason(cause)}`);
    });
    const text = (await response.text()).replaceAll(/\s+/g, ' ').slice(0, longestQuote);
    if (response.status >= 400) throw failed(`with ${response.status}: ${text}`);
  }
}

function requestOf({ headers = {}, json, form }: SetupRequest, values: Placeholders): RequestInit {
  const filledHeaders = Object.entries(headers).map(([name, text]): [string, string] => [
    name,
    filled(text, values),
  ]);
  if (form !== undefined) return { headers: filledHeaders, body: formOf(form, values) };
  if (json === undefined) return { headers: filledHeaders };
  return {
    headers: [['content-type', 'application/json'], ...filledHeaders],
    body: JSON.stringify(filledJson(json, values)),
  };
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
