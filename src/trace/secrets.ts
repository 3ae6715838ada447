import { scanForTokens } from './provider-tokens.ts';

/**
 * How secrets are recognised: by the name of a header, JSON key or URL parameter, or by their form. `kind` is what a
 * sealed trace shows.
 */
export type SecretName = {
  readonly kind: string;
  /** Matches a name in snake case: `refreshToken` and `Refresh-Token` are `refresh_token`. */
  readonly names: RegExp;
  /** An object under this name is not a secret as a whole. */
  readonly texts?: true;
  /** The name is also that of a number: `max_tokens`. */
  readonly counts?: true;
};

const secretNames: readonly SecretName[] = [
  { kind: 'cookie', names: /(?:^|_)cookies?2?$/ },
  { kind: 'account_id', names: /^(?:chatgpt_)?account_ids?$/ },
  { kind: 'organization', names: /^openai_organization$/ },
  { kind: 'project', names: /^openai_project$/ },
  { kind: 'user_id', names: /^(?:chatgpt_)?user_ids?$/ },
  { kind: 'email', names: /^emails?$/ },
  { kind: 'installation_id', names: /^(?:x_codex_)?installation_id$/ },
  // Git facts that the client puts into turn metadata inside a repository.
  { kind: 'git_remote', names: /^associated_remote_urls$/ },
  { kind: 'git_commit', names: /^latest_git_commit_hash$/ },
  { kind: 'token', names: /(?:^|_)tokens$/, counts: true },
  { kind: 'token', names: /(?:passwords?|passwd|passphrases?)$/ },
  { kind: 'token', names: /^(?:sessions?|auth)$/, texts: true },
  {
    kind: 'token',
    names:
      /(?:^|_)(?:token|secret|credential|authorization|signature|assertion|jwt|api_?key|(?:private|access|secret|auth|session|signing)_key(?:_id)?)s?$/,
  },
];

/** Names of URL parameters only: as keys and in other texts they have other meanings. */
const parameterNames = /^(?:key|sig|code|pass|pwd|sid|ticket|code_verifier)$/;
const shortestParameter = 8;

/** Keys of content: text written by a person, a model, a tool or a prompt author. */
export const contentKeys: ReadonlySet<string> = new Set([
  'text',
  'content',
  'input',
  'message',
  'title',
  'delta',
  'description',
  'instructions',
  'output',
  'arguments',
  'definition',
  'refusal',
  'image_url',
  'encrypted_content',
]);

/** What a header or JSON key with this name contains. Undefined for an ordinary name. */
export function secretName(name: string): SecretName | undefined {
  const known = namesRead.get(name);
  if (known !== undefined || namesRead.has(name)) return known;
  if (namesRead.size >= mostNames) namesRead.clear();
  const found = readName(name);
  namesRead.set(name, found);
  return found;
}

/** The same names occur again and again. */
const namesRead = new Map<string, SecretName | undefined>();
const mostNames = 4096;

function readName(name: string): SecretName | undefined {
  const split = name.replaceAll(/([a-z0-9])([A-Z])|([A-Z])(?=[A-Z][a-z])/g, '$1$3_$2');
  const [whole, words] = [name, split].map((text) =>
    text
      .replaceAll(/[^A-Za-z0-9]+/g, '_')
      .replaceAll(/^_|_$/g, '')
      .toLowerCase(),
  );
  return secretNames.find(({ names }) => names.test(whole ?? '') || names.test(words ?? ''));
}

/** Whether the value is a number or duration, which is not a secret under a name that `counts`. */
export function isCount({ counts }: SecretName, value: string): boolean {
  return counts === true && /^(?:[\d.,]+(?:ms|[smhdk])?)+$/i.test(value);
}

/** A secret in a text: the characters from `start` to `end`. `value` is the secret without URL encoding. */
export type SecretSpan = {
  readonly kind: string;
  readonly start: number;
  readonly end: number;
  readonly value: string;
};

/** Secrets that the text around them shows: `password=…`, `Bearer …`, URL parameters and user info. */
export function* namedSecrets(text: string): Generator<SecretSpan> {
  if (!/[=:@]|bearer|basic/i.test(text)) return;
  yield* valuesOf(text, /(?<![\w-])(?:set-)?cookie2?\s*:\s*([^\s"'][^\r\n"']*)/dgi, () => 'cookie');
  yield* valuesOf(text, /\b[a-z][a-z0-9+.-]{1,20}:\/\/([^\s/?#@"'<>]+)@/dgi, () => 'token');
  const parameter = /[?&#;]([^\s=&#?;]{1,64})=([^\s&#;"'<>]+)/dg;
  for (const span of valuesOf(text, parameter, (name, value) => parameterKind(decodeComponent(name), value)))
    yield { ...span, value: decodeComponent(span.value) };
  yield* valuesOf(text, assignment, assignedKind);
  yield* valuesOf(text, /\b(bearer|basic) +([\w~+/-]+(?:\.[\w~+/-]+)*=*)/dgi, (_, value) =>
    isOpaque(value) ? 'token' : undefined,
  );
}

/** `name=value` or `name: value`, with quotes or without. */
const assignment =
  /(?<![\w.-])([A-Za-z][\w.-]{1,63}["']?\s*[=:]\s*(?:(?:bearer|basic) +)?)(?=["']?((?<=")[^"]+|(?<=')[^']+|[^\s"'<>,;&]*[^\s"'<>,;&)\]}.]))/dgi;

function assignedKind(before: string, value: string): string | undefined {
  const [name = '', separator] = before.split(/["']?\s*([=:])/);
  const named = secretName(name);
  if (named === undefined || isCount(named, value)) return undefined;
  return separator === '=' || /pass/i.test(name) || isOpaque(value) ? named.kind : undefined;
}

function parameterKind(name: string, value: string): string | undefined {
  const named = secretName(name);
  if (named !== undefined) return isCount(named, value) ? undefined : named.kind;
  return value.length >= shortestParameter && parameterNames.test(name.toLowerCase()) ? 'token' : undefined;
}

/** Whether a text looks made by a program: a word of a sentence does not. */
function isOpaque(text: string): boolean {
  return text.length >= 20 || /\d|[~+/=]|[a-z][A-Z]/.test(text);
}

/** The last group of each match, where `kindOf` returns a kind for its groups. */
function* valuesOf(
  text: string,
  pattern: RegExp,
  kindOf: (first: string, last: string) => string | undefined,
): Generator<SecretSpan> {
  for (const match of text.matchAll(pattern)) {
    const [start, end] = match.indices?.at(-1) ?? [0, 0];
    const value = text.slice(start, end);
    const kind = kindOf(match[1] ?? '', value);
    if (kind !== undefined) yield { kind, start, end, value };
  }
}

/** The shortest credential is a JWT with empty parts, apart from e-mail addresses. */
const shortestForm = 13;

/** Credentials that are recognised by their form, at any place. */
const credentialForms: readonly (readonly [kind: string, form: RegExp])[] = [
  ['token', /eyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g],
  ['token', /\b(?:sk|sess|rt)-[\w-]{16,}/g],
  ['token', /\bAIza[\w-]{35}/g],
  ['account_id', /\b(?:user|org|acct|account|proj)[-_][A-Za-z0-9]{16,}/g],
  ['email', /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g],
];

/** Secrets of a known form: JWTs, e-mail addresses, ids of accounts, and the tokens of well-known providers. */
export function* credentials(text: string): Generator<SecretSpan> {
  if (text.length < shortestForm && !text.includes('@')) return;
  for (const [kind, form] of credentialForms)
    for (const { index, 0: value } of text.matchAll(form))
      yield { kind, start: index, end: index + value.length, value };
  for (const [start, end] of scanForTokens(text))
    yield { kind: 'token', start, end, value: text.slice(start, end) };
}

function decodeComponent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
