import {
  type JsonNode,
  jsonMember,
  jsonString,
  member,
  type ParsedJson,
  printJson,
  stringAt,
  tryParseJson,
} from '../../wire/json.ts';
import type { SignIn } from './sign-in.ts';
import { usesWebSockets } from './websockets.ts';

/** A sign-in as a file holds it. Times are milliseconds since 1970. */
export type Stored = {
  readonly signIn: SignIn;
  /** Absent: the sign-in cannot be renewed. */
  readonly refreshToken: string | undefined;
  /** When the access token runs out; undefined where neither the file nor the token tells. */
  readonly expiresAt: number | undefined;
  /** When the tokens were issued; undefined where the file does not tell. */
  readonly refreshedAt: number | undefined;
};

/** What the token endpoint gives; what it leaves out stays as it was. */
export type Tokens = {
  readonly idToken: string | undefined;
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
};

/** Why tokens are renewed, in the official client's words. */
export type RefreshReason = 'proactive_expiry' | 'scheduled' | 'unauthorized_recovery';

/** A token is renewed when it has no more than 5 minutes left (measured: codex 0.169.0, at 303 s not and at 295 s). */
const leeway = 5 * 60_000;

/** A token that does not tell its end is renewed after 8 days (measured: codex 0.169.0, 7.9 days not and 8.1 days). */
const interval = 8 * 24 * 60 * 60_000;

/**
 * The sign-in in a file: in the official client's form (`auth.json`: tokens, or an API key), or one account in the
 * form of other proxies (`"type": "codex"`, the tokens at the top). Undefined where there is none.
 */
export function decodeStored(file: JsonNode): Stored | undefined {
  const websockets = usesWebSockets(file);
  const refreshedAt = timeAt(file, 'last_refresh');
  const key = apiKey(file);
  if (key !== undefined) {
    const signIn = { lane: 'api-key', accessToken: key, websockets } as const;
    return { signIn, refreshToken: undefined, expiresAt: undefined, refreshedAt };
  }
  const tokens = tokensOf(file);
  const accessToken = stringAt(tokens, 'access_token');
  const accountId = stringAt(tokens, 'account_id');
  if (!accessToken || !accountId) return undefined;
  const ends = [timeAt(file, 'expired'), expiryOf(accessToken)].filter((time) => time !== undefined);
  return {
    signIn: { lane: 'chatgpt', accessToken, accountId, websockets },
    refreshToken: stringAt(tokens, 'refresh_token') || undefined,
    expiresAt: ends.length === 0 ? undefined : Math.min(...ends),
    refreshedAt,
  };
}

/** Why the tokens are to be renewed before they are used; undefined where they are not. */
export function reasonToRefresh({ expiresAt, refreshedAt }: Stored, now: number): RefreshReason | undefined {
  if (expiresAt !== undefined) return expiresAt - now <= leeway ? 'proactive_expiry' : undefined;
  return refreshedAt !== undefined && now - refreshedAt > interval ? 'scheduled' : undefined;
}

/**
 * The text of a file with its tokens renewed. Everything else stays as it is spelled, in its order; a file that is
 * laid out over lines is laid out as the official client does it.
 */
export function withTokens(text: string, tokens: Tokens, now: number): string {
  const file = parseFile(text);
  if (file === undefined) throw new RangeError('not a file that holds a sign-in');
  const { node, compact } = file;
  const renewed = {
    id_token: tokens.idToken,
    access_token: tokens.accessToken,
    refresh_token: tokens.refreshToken,
  };
  const end = expiryOf(tokens.accessToken);
  const refreshed = { last_refresh: isoTime(now) };
  const changed = isAccountFile(node)
    ? replace(node, { ...renewed, ...refreshed, expired: end === undefined ? null : isoTime(end) })
    : replace(node, { tokens: replace(tokensOf(node), renewed), ...refreshed });
  const space = text.slice(text.trimEnd().length);
  return `${compact ? printJson(changed) : printIndented(changed)}${space}`;
}

/** The document in a file; `compact` regardless of white space around it. */
export function parseFile(text: string): ParsedJson | undefined {
  return tryParseJson(text.trim());
}

/** The key wins over tokens unless the file says that ChatGPT is signed in (measured: codex 0.169.0). */
function apiKey(file: JsonNode): string | undefined {
  const mode = stringAt(file, 'auth_mode');
  return mode === undefined || mode === 'apikey' ? stringAt(file, 'OPENAI_API_KEY') || undefined : undefined;
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

/** The `exp` claim of a JWT; undefined for a token that has none, or is none. */
function expiryOf(token: string): number | undefined {
  const [, claims = ''] = token.split('.');
  const exp = member(tryParseJson(Buffer.from(claims, 'base64url').toString('utf8'))?.node, 'exp');
  return exp?.kind === 'number' ? Number(exp.text) * 1000 : undefined;
}

/**
 * An object with the values given: in place where it has the key, else at its end. Null takes a key away, undefined
 * leaves it.
 */
function replace(
  node: JsonNode,
  values: Readonly<Record<string, string | JsonNode | null | undefined>>,
): JsonNode {
  if (node.kind !== 'object') return node;
  const known = new Set(node.members.map(([key]) => key));
  const added = Object.keys(values).filter((key) => !known.has(key));
  return {
    kind: 'object',
    members: [...node.members, ...added.map((key) => jsonMember(key, nothing))].flatMap(
      ([key, old, spelling]) => {
        const value = values[key];
        if (value === null || (value === undefined && !known.has(key))) return [];
        return [jsonMember(key, typeof value === 'string' ? jsonString(value) : (value ?? old), spelling)];
      },
    ),
  };
}

const nothing: JsonNode = { kind: 'literal', value: null };

function isoTime(time: number): string {
  return new Date(time).toISOString();
}

/** As the official client writes auth.json: two spaces to a level. */
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
