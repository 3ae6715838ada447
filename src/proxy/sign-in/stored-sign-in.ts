import { ParityError } from '../../errors.ts';
import {
  type JsonMember,
  type JsonNode,
  jsonMember,
  jsonString,
  member,
  type ParsedJson,
  printJson,
  stringAt,
  toNode,
  tryParseJson,
} from '../../wire/json.ts';
import type { SignIn } from './sign-in.ts';

/** A sign-in as stored in a file. Times are milliseconds since 1970. */
export type StoredSignIn = {
  readonly signIn: SignIn;
  /** Undefined: the sign-in cannot be renewed. */
  readonly refreshToken: string | undefined;
  /** When the access token expires; undefined if neither the file nor the token says so. */
  readonly expiresAt: number | undefined;
  /** When the tokens were issued; undefined if the file does not say so. */
  readonly refreshedAt: number | undefined;
};

/** New tokens from the token endpoint. An undefined token keeps its old value. */
export type IssuedTokens = {
  readonly idToken: string | undefined;
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
};

/** Why tokens are renewed. The values are the official client's. */
export type RefreshReason = 'proactive_expiry' | 'scheduled' | 'unauthorized_recovery';

/** A token is renewed in its last 5 minutes (measured: codex 0.169.0: not with 303 s left, but with 295 s). */
const expiryMargin = 5 * 60_000;

/** A token without an expiry is renewed after 8 days (measured: codex 0.169.0: not after 7.9 days, but after 8.1). */
const refreshInterval = 8 * 24 * 60 * 60_000;

/**
 * Decodes a sign-in file. Two formats are known: the official client's `auth.json` (tokens or an API key), and the
 * account file of other proxies (`"type": "codex"` with the tokens at top level). Returns undefined if there is no
 * sign-in.
 */
export function decodeSignIn(file: JsonNode): StoredSignIn | undefined {
  const websockets = usesWebSockets(file);
  const refreshedAt = timeAt(file, 'last_refresh');
  const key = apiKey(file);
  if (key !== undefined) {
    const signIn = { lane: 'api-key', accessToken: key, websockets } as const;
    return { signIn, refreshToken: undefined, expiresAt: undefined, refreshedAt };
  }
  const tokens = tokensOf(file);
  const accessToken = credentialAt(tokens, 'access_token');
  const accountId = credentialAt(tokens, 'account_id');
  if (!accessToken || !accountId) return undefined;
  const expiries = [timeAt(file, 'expired'), expiryOf(accessToken)].filter((time) => time !== undefined);
  return {
    signIn: {
      lane: 'chatgpt',
      accessToken,
      accountId,
      websockets,
      ...(isFedramp(tokens) && { fedramp: true }),
    },
    refreshToken: stringAt(tokens, 'refresh_token') || undefined,
    expiresAt: expiries.length === 0 ? undefined : Math.min(...expiries),
    refreshedAt,
  };
}

/**
 * Whether a sign-in may be used over the websocket. The official client uses the websocket with every ChatGPT sign-in and
 * API key (measured: codex 0.169.0). Account files of other proxies can forbid it by `"websockets": false`, which some of
 * them write as a string or a number. Throws ParityError for a value that cannot be read.
 */
export function usesWebSockets(file: JsonNode): boolean {
  const value = member(file, 'websockets') ?? toNode(null);
  const text = (value.kind === 'string' ? value.value : printJson(value)).trim().toLowerCase();
  if (/^(?:|null|true|t|1|yes|y|on)$/.test(text)) return true;
  if (/^(?:false|f|0|no|n|off)$/.test(text)) return false;
  throw new ParityError(
    'bad-sign-in',
    '"websockets" in the sign-in file is neither true nor false: write one of them',
  );
}

/** Returns why the tokens must be renewed before use, or undefined if they need not be. */
export function reasonToRefresh(
  { expiresAt, refreshedAt }: Pick<StoredSignIn, 'expiresAt' | 'refreshedAt'>,
  now: number,
): RefreshReason | undefined {
  if (expiresAt !== undefined) return expiresAt - now <= expiryMargin ? 'proactive_expiry' : undefined;
  return refreshedAt !== undefined && now - refreshedAt > refreshInterval ? 'scheduled' : undefined;
}

/**
 * Returns the text of a sign-in file with new tokens. Everything else keeps its spelling and order. A file that is not
 * compact is indented as the official client does it.
 */
export function withTokens(text: string, tokens: IssuedTokens, now: number): string {
  const file = parseAuthFile(text);
  if (file === undefined) throw new RangeError('the sign-in file is not JSON');
  const { node, compact } = file;
  const renewed = {
    id_token: tokens.idToken,
    access_token: tokens.accessToken,
    refresh_token: tokens.refreshToken,
  };
  const expiry = expiryOf(tokens.accessToken);
  const refreshed = { last_refresh: new Date(now).toISOString() };
  const changed = isAccountFile(node)
    ? replace(node, {
        ...renewed,
        ...refreshed,
        expired: expiry === undefined ? null : new Date(expiry).toISOString(),
      })
    : replace(node, { tokens: replace(tokensOf(node), renewed), ...refreshed });
  const space = text.slice(text.trimEnd().length);
  return `${compact ? printJson(changed) : printIndented(changed)}${space}`;
}

/** Parses a sign-in file. White space around the document does not count for `compact`. */
export function parseAuthFile(text: string): ParsedJson | undefined {
  return tryParseJson(text.trim());
}

/** An API key takes precedence over tokens, unless `auth_mode` names another mode (measured: codex 0.169.0). */
function apiKey(file: JsonNode): string | undefined {
  const mode = stringAt(file, 'auth_mode');
  return mode === undefined || mode === 'apikey' ? credentialAt(file, 'OPENAI_API_KEY') : undefined;
}

/** A value that is sent in a header. White space around it, such as a line end, is not part of it. */
function credentialAt(node: JsonNode, key: string): string | undefined {
  const value = stringAt(node, key)?.trim() ?? '';
  return isCredential(value) ? value : undefined;
}

/** Whether a header can carry a token, key or account id. */
export function isCredential(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

function tokensOf(file: JsonNode): JsonNode {
  return isAccountFile(file) ? file : (member(file, 'tokens') ?? nothing);
}

function isAccountFile(file: JsonNode): boolean {
  return stringAt(file, 'type') === 'codex';
}

function timeAt(node: JsonNode, key: string): number | undefined {
  const time = Date.parse(stringAt(node, key) ?? '');
  return Number.isNaN(time) ? undefined : time;
}

/** Returns the `exp` claim of a JWT in milliseconds, or undefined if the token has none or is not a JWT. */
export function expiryOf(token: string): number | undefined {
  const exp = member(claimsOf(token), 'exp');
  return exp?.kind === 'number' ? Number(exp.text) * 1000 : undefined;
}

/** Whether the account is of a government agency. The id token says so, not the access token (measured: codex 0.171.0). */
function isFedramp(tokens: JsonNode): boolean {
  const account = member(claimsOf(stringAt(tokens, 'id_token') ?? ''), 'https://api.openai.com/auth');
  const claim = member(account, 'chatgpt_account_is_fedramp');
  return claim?.kind === 'literal' && claim.value === true;
}

/** The claims of a JWT, or undefined for another text. */
function claimsOf(token: string): JsonNode | undefined {
  const [, claims = ''] = token.split('.');
  return tryParseJson(Buffer.from(claims, 'base64url').toString('utf8'))?.node;
}

/** Sets members of an object: in place, or at the end if the key is new. Null removes a member; undefined keeps it. */
function replace(
  node: JsonNode,
  values: Readonly<Record<string, string | JsonNode | null | undefined>>,
): JsonNode {
  if (node.kind !== 'object') return node;
  const added = Object.keys(values).filter((key) => member(node, key) === undefined);
  const members = [...node.members, ...added.map((key): JsonMember => [key, nothing])];
  return {
    kind: 'object',
    members: members.flatMap(([key, old, spelling]) => {
      const value = values[key];
      if (value === null || (value === undefined && added.includes(key))) return [];
      return [jsonMember(key, typeof value === 'string' ? jsonString(value) : (value ?? old), spelling)];
    }),
  };
}

const nothing: JsonNode = { kind: 'literal', value: null };

/** The official client writes auth.json with two spaces per level. */
function printIndented(node: JsonNode, indent = ''): string {
  const inner = `${indent}  `;
  const lines =
    node.kind === 'object'
      ? node.members.map(([key, value, spelling]) => {
          return `${spelling ?? JSON.stringify(key)}: ${printIndented(value, inner)}`;
        })
      : node.kind === 'array'
        ? node.items.map((item) => printIndented(item, inner))
        : [];
  if (lines.length === 0) return printJson(node);
  const [open, close] = node.kind === 'object' ? '{}' : '[]';
  return `${open}\n${lines.map((line) => inner + line).join(',\n')}\n${indent}${close}`;
}
