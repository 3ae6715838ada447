import { expect, it } from 'vitest';
import {
  decodeSignIn,
  parseAuthFile,
  reasonToRefresh,
  withTokens,
} from '../../../src/proxy/sign-in/stored-sign-in.ts';
import { unsignedToken } from '../../../src/wire/ids.ts';
import { toNode } from '../../../src/wire/json.ts';
import { token } from './endpoint.ts';

const now = Date.parse('2026-05-01T12:00:00.000Z');
const tokens = { access_token: 'opaque', refresh_token: 'r', account_id: 'a' };

function decoded(file: object) {
  return decodeSignIn(toNode(file));
}

it("reads the official client's ChatGPT sign-in", () => {
  expect(decoded({ auth_mode: 'chatgpt', OPENAI_API_KEY: null, tokens })?.signIn).toEqual({
    lane: 'chatgpt',
    accessToken: 'opaque',
    accountId: 'a',
    websockets: true,
  });
});

it('reads an account file of other proxies', () => {
  const stored = decoded({
    type: 'codex',
    ...tokens,
    websockets: 'false',
    expired: '2026-05-01T12:00:00+02:00',
  });
  expect(stored?.signIn).toEqual({
    lane: 'chatgpt',
    accessToken: 'opaque',
    accountId: 'a',
    websockets: false,
  });
  expect(stored?.refreshToken).toBe('r');
  expect(stored?.expiresAt).toBe(Date.parse('2026-05-01T10:00:00Z'));
});

it.each([
  { name: 'says so', claims: { chatgpt_account_is_fedramp: true }, fedramp: true },
  { name: 'says that it is not', claims: { chatgpt_account_is_fedramp: false }, fedramp: undefined },
  { name: 'says it as text', claims: { chatgpt_account_is_fedramp: 'true' }, fedramp: undefined },
  { name: 'does not say', claims: {}, fedramp: undefined },
])(
  'reads from the id token whether the account is of a government agency: it $name',
  ({ claims, fedramp }) => {
    const id_token = unsignedToken({ 'https://api.openai.com/auth': claims });
    for (const file of [{ tokens: { ...tokens, id_token } }, { type: 'codex', ...tokens, id_token }]) {
      const signIn = decoded(file)?.signIn;
      expect(signIn?.lane === 'chatgpt' ? signIn.fedramp : 'no sign-in').toBe(fedramp);
    }
  },
);

it.each([
  { file: { auth_mode: 'apikey', OPENAI_API_KEY: 'sk-1' }, lane: 'api-key' },
  { file: { OPENAI_API_KEY: 'sk-1' }, lane: 'api-key' },
  { file: { OPENAI_API_KEY: 'sk-1', tokens }, lane: 'api-key' },
  { file: { auth_mode: 'chatgpt', OPENAI_API_KEY: 'sk-1', tokens }, lane: 'chatgpt' },
  { file: { auth_mode: 'chatgpt', OPENAI_API_KEY: 'sk-1' }, lane: undefined },
  { file: { OPENAI_API_KEY: '' }, lane: undefined },
  { file: { tokens: { ...tokens, account_id: null } }, lane: undefined },
  { file: { type: 'gemini', ...tokens }, lane: undefined },
  { file: [], lane: undefined },
])('reads the lane of $file as $lane', ({ file, lane }) => {
  expect(decoded(file)?.signIn.lane).toBe(lane);
});

it.each([
  { seconds: 295, reason: 'proactive_expiry' },
  { seconds: 305, reason: undefined },
  { seconds: -3600, reason: 'proactive_expiry' },
])('returns $reason for a token with $seconds seconds left', ({ seconds, reason }) => {
  const stored = decoded({ tokens: { ...tokens, access_token: token(seconds, 'a') } });
  expect(stored && reasonToRefresh(stored, Date.now())).toBe(reason);
});

it.each([
  { days: 7.9, reason: undefined },
  { days: 8.1, reason: 'scheduled' },
])('returns $reason for a token without an expiry after $days days', ({ days, reason }) => {
  const last = new Date(now - days * 24 * 60 * 60 * 1000).toISOString();
  const stored = decoded({ tokens, last_refresh: last });
  expect(stored && reasonToRefresh(stored, now)).toBe(reason);
});

it('ignores white space around credentials, and refuses what no header can carry', () => {
  expect(decoded({ OPENAI_API_KEY: 'sk-1\r\n' })?.signIn).toMatchObject({ accessToken: 'sk-1' });
  expect(
    decoded({ tokens: { ...tokens, access_token: ' opaque\n', account_id: 'a\n' } })?.signIn,
  ).toMatchObject({
    accessToken: 'opaque',
    accountId: 'a',
  });
  for (const bad of ['a\nb', 'a b', '中文', '\u0000']) {
    expect(decoded({ OPENAI_API_KEY: bad })).toBeUndefined();
    expect(decoded({ tokens: { ...tokens, access_token: bad } })).toBeUndefined();
    expect(decoded({ tokens: { ...tokens, account_id: bad } })).toBeUndefined();
  }
});

it('uses the earlier expiry of file and token', () => {
  const account = { type: 'codex', ...tokens, access_token: token(7200, 'a') };
  const early = decoded({ ...account, expired: new Date(Date.now() - 1000).toISOString() });
  const late = decoded({ ...account, expired: new Date(Date.now() + 9e7).toISOString() });
  expect(early && reasonToRefresh(early, Date.now())).toBe('proactive_expiry');
  expect(late?.expiresAt).toBeLessThan(Date.now() + 7201_000);
});

const renewed = { idToken: undefined, accessToken: 'new', refreshToken: 'newer' };

it('replaces the tokens and keeps unknown fields, order and spelling', () => {
  const text =
    '{"a":1.0,"tokens":{"x":"\\u00e9","access_token":"old","refresh_token":"old","id_token":"i"},"last_refresh":"old","z":[1e2,{}]}';
  expect(withTokens(text, renewed, now)).toBe(
    '{"a":1.0,"tokens":{"x":"\\u00e9","access_token":"new","refresh_token":"newer","id_token":"i"},"last_refresh":"2026-05-01T12:00:00.000Z","z":[1e2,{}]}',
  );
});

it('indents the file as the official client does', () => {
  const file = {
    auth_mode: 'chatgpt',
    tokens: { access_token: 'old', refresh_token: 'old' },
    more: [1, [], {}],
  };
  const text = `${JSON.stringify({ ...file, last_refresh: 'old' }, null, 2)}\n`;
  expect(withTokens(text, renewed, now)).toBe(
    text
      .replace('"access_token": "old"', '"access_token": "new"')
      .replace('"refresh_token": "old"', '"refresh_token": "newer"')
      .replace('"last_refresh": "old"', '"last_refresh": "2026-05-01T12:00:00.000Z"'),
  );
});

it('updates the expiry in an account file', () => {
  const accessToken = token(3600, 'new');
  const account = {
    type: 'codex',
    ...tokens,
    expired: '2020-01-01T00:00:00Z',
    email: 'e',
    websockets: false,
  };
  const text = withTokens(JSON.stringify(account), { ...renewed, accessToken }, now);
  const stored = decodeSignIn(parseAuthFile(text)?.node ?? toNode(null));
  expect(stored?.expiresAt).toBeGreaterThan(Date.now() + 3500_000);
  expect(Object.keys(JSON.parse(text))).toEqual([...Object.keys(account), 'last_refresh']);
  expect(stored?.signIn.websockets).toBe(false);
});

it('removes the expiry of the old token if the new one has none', () => {
  const account = { type: 'codex', ...tokens, expired: '2020-01-01T00:00:00Z' };
  expect(JSON.parse(withTokens(JSON.stringify(account), renewed, now))).not.toHaveProperty('expired');
});
