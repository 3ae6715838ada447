import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Sealer, type SealerOptions, seals } from '../../src/trace/seal.ts';
import { type JsonNode, jsonString, parseJson, printJson, toNode } from '../../src/wire/json.ts';

/** The text of a value after sealing. */
function sealed(value: unknown, options?: SealerOptions): string {
  return printJson(new Sealer(options).json(toNode(value)));
}

function sealOf(text: string, tag = ''): string {
  const hash = createHash('sha256').update(text).digest('hex');
  return `<<sealed ${tag}${Buffer.byteLength(text)} ${hash}>>`;
}

function headerOf(name: string, value: string, sealer = new Sealer()): JsonNode | undefined {
  return sealer.headers([[name, value]])[0]?.[1];
}

it.each([
  ['authorization', 'Bearer abc', 'Bearer <<secret token 1>>'],
  ['Authorization', 'Basic abc', 'Basic <<secret token 1>>'],
  ['authorization', 'abc', '<<secret token 1>>'],
  ['x-api-key', 'k', '<<secret token 1>>'],
  ['statsig-api-key', 'k', '<<secret token 1>>'],
  ['Cookie', 'a=1; b=2', '<<secret cookie 1>>'],
  ['Set-Cookie', 'a=1', '<<secret cookie 1>>'],
  ['ChatGPT-Account-ID', 'acct-1', '<<secret account_id 1>>'],
  ['OpenAI-Organization', 'org-1', '<<secret organization 1>>'],
  ['openai-project', 'proj-1', '<<secret project 1>>'],
  ['x-codex-installation-id', '018f5d1e-0000-4000-8000-000000000000', '<<secret installation_id 1 uuid4>>'],
  [
    'x-codex-turn-metadata',
    '{"installation_id":"i-1","n":1}',
    '{"installation_id":"<<secret installation_id 1>>","n":1}',
  ],
  [
    'x-codex-turn-metadata',
    '{ "installation_id" : "i-1" }',
    '{ "installation_id" : "<<secret installation_id 1>>" }',
  ],
  ['x-note', 'of alice@example.com', 'of <<secret email 1>>'],
  ['X-Auth-Token', 'abc', '<<secret token 1>>'],
  ['x-client-secret', 'abc', '<<secret token 1>>'],
  ['location', '/next?code=1&access_token=abc', '/next?code=1&access_token=<<secret token 1>>'],
  ['location', '/next?n=1&code=0123456789&state=x', '/next?n=1&code=<<secret token 1>>&state=x'],
  ['x-max-tokens', '17', '17'],
  ['x-ratelimit-reset-tokens', '6m0s', '6m0s'],
  ['authorization', 'bearer abc', 'bearer <<secret token 1>>'],
  ['x-forwarded-authorization', 'abc', '<<secret token 1>>'],
  ['cf-access-jwt-assertion', 'abc', '<<secret token 1>>'],
  ['x-amz-signature', 'abc', '<<secret token 1>>'],
  ['apikey', 'k', '<<secret token 1>>'],
  ['x-session', 's', 's'],
  ['session', 's', '<<secret token 1>>'],
  ['set-cookie2', 'a=1', '<<secret cookie 1>>'],
  ['x-original', 'Bearer abc', 'Bearer <<secret token 1>>'],
  ['x-upstream', 'https://alice:pw@host/a?b=1', 'https://<<secret token 1>>@host/a?b=1'],
  ['x-note', 'they met at noon', sealOf('they met at noon')],
  ['user-agent', 'codex_exec/0.169.0 (Debian 12.0.0; x86_64)', 'codex_exec/0.169.0 (Debian 12.0.0; x86_64)'],
  ['authorization', '', ''],
])('seals the header %s: %s', (name, value, safe) => {
  expect(headerOf(name, value)).toEqual({ kind: 'string', value: safe });
});

it.each([
  ['access_token', 'token'],
  ['refresh_token', 'token'],
  ['id_token', 'token'],
  ['OPENAI_API_KEY', 'token'],
  ['account_id', 'account_id'],
  ['chatgpt_account_id', 'account_id'],
  ['user_id', 'user_id'],
  ['chatgpt_user_id', 'user_id'],
  ['email', 'email'],
  ['password', 'token'],
  ['client_secret', 'token'],
  ['refreshToken', 'token'],
  ['private-key', 'token'],
  ['installation_id', 'installation_id'],
  ['x-codex-installation-id', 'installation_id'],
  ['latest_git_commit_hash', 'git_commit'],
  ['authorization', 'token'],
  ['Authorization', 'token'],
  ['cookie', 'cookie'],
  ['Set-Cookie', 'cookie'],
  ['cookies', 'cookie'],
  ['jwt', 'token'],
  ['idJwts', 'token'],
  ['passwords', 'token'],
  ['secrets', 'token'],
  ['accountId', 'account_id'],
  ['AWSSecretAccessKey', 'token'],
  ['APIKeys', 'token'],
  ['auth.token', 'token'],
])('seals values under the key %s', (key, kind) => {
  expect(sealed({ [key]: 'x' })).toBe(`{"${key}":"<<secret ${kind} 1>>"}`);
  expect(sealed({ [key]: 17 })).toBe(`{"${key}":"<<secret ${kind} 1>>"}`);
  expect(sealed({ [key]: null })).toBe(`{"${key}":null}`);
});

it('seals texts under keys that may also name an object or a number', () => {
  expect(sealed({ session: 'abc', sessions: ['abd'], tokens: ['abe'] })).toBe(
    '{"session":"<<secret token 1>>","sessions":["<<secret token 2>>"],"tokens":["<<secret token 3>>"]}',
  );
  const plain = '{"session":{"mode":"fast"},"input_tokens":1234567,"max_tokens":"17"}';
  expect(sealed(JSON.parse(plain))).toBe(plain);
});

it('keeps the scheme of credentials under a secret key', () => {
  expect(sealed({ authorization: 'Bearer abc', note: 'token abc' })).toBe(
    '{"authorization":"Bearer <<secret token 1>>","note":"token abc"}',
  );
});

it('keeps the schema of a property that is named like a secret', () => {
  const schema = '{"type":"object","properties":{"password":{"type":"string"},"cookies":{"type":"array"}}}';
  expect(sealed(JSON.parse(schema))).toBe(schema);
});

it('seals every value below a secret key', () => {
  expect(sealed({ associated_remote_urls: { origin: 'git@host:a.git', others: ['b'] } })).toBe(
    '{"associated_remote_urls":{"origin":"<<secret git_remote 1>>","others":["<<secret git_remote 2>>"]}}',
  );
});

it.each([
  ['a JWT', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln', 'token'],
  ['an API key', 'sk-proj-0123456789abcdef', 'token'],
  ['the id of a user', 'user-0123456789abcdefABCDEF', 'account_id'],
  ['an e-mail address', 'alice.b+c@mail.example.com', 'email'],
  // In two parts, so that no scanner takes them for real ones.
  ['a token of GitHub', 'ghp_' + 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx', 'token'],
  ['a token of Slack', 'xoxb-' + '23984754863-2348975623103-aBcDeFgHiJkLmNoPqRsTuVwX', 'token'],
  ['a token of GitLab', 'glpat-' + 'abcdefghij0123456789', 'token'],
  ['a token of npm', 'npm_' + 'a1B2c3D4e5a1B2c3D4e5a1B2c3D4e5abcdef', 'token'],
  ['a token of Hugging Face', 'hf_' + 'aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH', 'token'],
  ['a key of Stripe', 'sk_live_' + '4eC39HqLyjWDarjtT1zdp7dc', 'token'],
  ['a key of AWS', 'AKIA' + 'IOSFODNN7EXAMPLQ', 'token'],
  ['a key of Google', 'AIza' + 'SyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe', 'token'],
])('seals %s at any place', (_, secret, kind) => {
  expect(sealed({ note: `<${secret}>` })).toBe(`{"note":"<<<secret ${kind} 1>>>"}`);
  expect(sealed({ note: JSON.stringify({ a: secret }) })).toBe(
    `{"note":"{\\"a\\":\\"<<secret ${kind} 1>>\\"}"}`,
  );
  expect(sealed({ [secret]: 1 })).toBe(`{"<<secret ${kind} 1>>":1}`);
});

it.each([
  ['password=hunter2', 'password=<<secret token 1>>'],
  ['password: swordfish', 'password: <<secret token 1>>'],
  ['password="two words"', 'password="<<secret token 1>>"'],
  ["-d token='a b'", "-d token='<<secret token 1>>'"],
  ['PGPASSWORD=hunter2 psql', 'PGPASSWORD=<<secret token 1>> psql'],
  ['CLIENT_SECRET=a;USER=b', 'CLIENT_SECRET=<<secret token 1>>;USER=b'],
  ['api_key: abc123', 'api_key: <<secret token 1>>'],
  ['f(token=abc)', 'f(token=<<secret token 1>>)'],
  ['{"client_secret": "abc123",', '{"client_secret": "<<secret token 1>>",'],
  ['-H "Authorization: Bearer abc123"', '-H "Authorization: Bearer <<secret token 1>>"'],
  ['Cookie: a=1; b=2', 'Cookie: <<secret cookie 1>>'],
  ['bearer 0123456789', 'bearer <<secret token 1>>'],
  ['Basic dXNlcjpwYXNz', 'Basic <<secret token 1>>'],
  ['https://token@host/a', 'https://<<secret token 1>>@host/a'],
  ['clone https://u:p@host/a.git', 'clone https://<<secret token 1>>@host/a.git'],
  [
    'https://h/a?X-Amz-Signature=ab12&X-Amz-Date=1',
    'https://h/a?X-Amz-Signature=<<secret token 1>>&X-Amz-Date=1',
  ],
  ['https://h/a?key=0123456789&n=1', 'https://h/a?key=<<secret token 1>>&n=1'],
  ['https://h/a?sig=ab%2F0123456789', 'https://h/a?sig=<<secret token 1>>'],
  ['http://h/cb#access_token=abc', 'http://h/cb#access_token=<<secret token 1>>'],
])('seals what the text around it shows: %s', (note, safe) => {
  expect(sealed({ note })).toBe(JSON.stringify({ note: safe }));
  expect(sealed({ note: safe })).toBe(JSON.stringify({ note: safe }));
});

it.each([
  'token: expected',
  'Basic authentication.',
  'Bearer token',
  'max_tokens=17',
  'tokens: 1,234',
  'error?code=404',
  'https://host/a?key=1',
  'session_id=1',
  'key: value',
  '018f5d1e-0000-7000-8000-000000000000',
])('keeps %s', (note) => {
  expect(sealed({ note })).toBe(JSON.stringify({ note }));
});

it('needs time in proportion to the number of secrets, however many there are', () => {
  const sealer = new Sealer();
  const cookies = Array.from({ length: 20_000 }, (_, index) => String(index).padStart(40, 'c'));
  const sealed = cookies.map((cookie) => sealer.headers([['set-cookie', cookie]])[0]?.[1]);
  expect(sealed).toEqual(cookies.map((_, index) => jsonString(`<<secret cookie ${index + 1}>>`)));
  const known = '19999'.padStart(40, 'c');
  expect(headerOf('x-note', `of ${known}`, sealer)).toMatchObject({ value: 'of <<secret cookie 20000>>' });
});

it('gives equal secrets equal numbers within a recording', () => {
  const sealer = new Sealer();
  expect(headerOf('chatgpt-account-id', 'acct-123', sealer)).toMatchObject({
    value: '<<secret account_id 1>>',
  });
  expect(printJson(sealer.json(toNode({ account_id: 'acct-456', at: 'of acct-123' })))).toBe(
    '{"account_id":"<<secret account_id 2>>","at":"of <<secret account_id 1>>"}',
  );
});

it('seals a secret that only a later key of the document reveals', () => {
  expect(sealed({ note: 'is acct-123', inner: '{"account_id":"acct-123"}' })).toBe(
    '{"note":"is <<secret account_id 1>>","inner":"{\\"account_id\\":\\"<<secret account_id 1>>\\"}"}',
  );
});

it('seals a document that comes again once, until another secret is found', () => {
  const sealer = new Sealer({ keepsDocuments: true });
  const text = '{ "note": "is acct-123" }';
  const first = sealer.document(text);
  expect(first).toEqual({ json: toNode({ note: 'is acct-123' }), spaced: true });
  expect(sealer.document(text)).toBe(first);
  sealer.headers([['chatgpt-account-id', 'acct-123']]);
  expect(sealer.document(text)?.json).toEqual(toNode({ note: 'is <<secret account_id 1>>' }));
  expect(sealer.document('no JSON')).toBeUndefined();
});

it('seals secrets that are known in advance', () => {
  expect(sealed({ note: 'is acct-123' }, { secrets: { account_id: ['acct-123'] } })).toBe(
    '{"note":"is <<secret account_id 1>>"}',
  );
});

it('seals a known secret in a text that another recording kept', () => {
  const text = { id: 'plain-value-12' };
  expect(sealed(text)).toBe('{"id":"plain-value-12"}');
  expect(sealed(text)).toBe('{"id":"plain-value-12"}');
  expect(sealed(text, { secrets: { account_id: ['value-12'] } })).toBe(
    '{"id":"plain-<<secret account_id 1>>"}',
  );
});

it('does not search for secrets inside other seals', () => {
  const secrets = { user_id: ['secret'], account_id: ['account'] };
  expect(sealed({ a: 'account', b: 'secret', c: 'account secret' }, { secrets })).toBe(
    '{"a":"<<secret account_id 1>>","b":"<<secret user_id 1>>","c":"<<secret account_id 1>> <<secret user_id 1>>"}',
  );
});

it('seals secrets in the query of a target and keeps the path', () => {
  const sealer = new Sealer({ secrets: { account_id: ['acct-123'] } });
  expect(sealer.target('/accounts/acct-123/responses?account_id=acct%2D123&n=1&email=x')).toEqual({
    kind: 'string',
    value:
      '/accounts/<<secret account_id 1>>/responses?account_id=<<secret account_id 1>>&n=1&email=<<secret email 1>>',
  });
});

it('seals prose: three words, more than 80 characters, or any text under a content key', () => {
  expect(sealed('one two three')).toBe(JSON.stringify(sealOf('one two three')));
  expect(sealed('one two 3')).toBe('"one two 3"');
  expect(sealed('x'.repeat(81))).toBe(JSON.stringify(sealOf('x'.repeat(81))));
  expect(sealed('x'.repeat(80))).toBe(JSON.stringify('x'.repeat(80)));
  expect(sealed({ text: 'hi' })).toBe(`{"text":"${sealOf('hi')}"}`);
  expect(sealed({ output: ['hi'], type: 'hi' })).toBe(`{"output":["${sealOf('hi')}"],"type":"hi"}`);
  expect(sealed({ text: '' })).toBe('{"text":""}');
  expect(sealed({ text: { verbosity: 'low' } })).toBe('{"text":{"verbosity":"low"}}');
});

it('keeps the tag at the start of prose', () => {
  const text = '<permissions instructions>\nread only</permissions instructions>';
  expect(sealed({ text })).toBe(`{"text":"${sealOf(text, 'permissions_instructions ')}"}`);
});

it('keeps texts of the scenario readable, but only as a whole', () => {
  const ownTexts = ['Reply with exactly: OK'];
  expect(sealed({ text: 'Reply with exactly: OK' }, { ownTexts })).toBe('{"text":"Reply with exactly: OK"}');
  expect(sealed({ text: 'Reply with exactly: OK!' }, { ownTexts })).not.toContain('Reply');
});

it('seals keys that are paths or prose, and keeps others', () => {
  expect(
    sealed({ '/home/alice/project': 1, 'C:\\Users\\alice': 2, 'one two three': 3, '/responses': 4 }),
  ).toBe(`{"<<secret path 1>>":1,"<<secret path 2>>":2,"${sealOf('one two three')}":3,"/responses":4}`);
});

it('seals inside JSON in a string, and keeps its white space', () => {
  expect(sealed({ a: '{"email":"a","text":"b","n":1.0}' })).toBe(
    `{"a":"{\\"email\\":\\"<<secret email 1>>\\",\\"text\\":\\"${sealOf('b')}\\",\\"n\\":1.0}"}`,
  );
  expect(sealed({ a: '{"email": "a"}' })).toBe('{"a":"{\\"email\\": \\"<<secret email 1>>\\"}"}');
});

it('still shows that a sealed text had unusual escapes', () => {
  const text = sealed({ text: 'é' }).replace('{"text":"<', '{"text":"\\u003c');
  expect(printJson(new Sealer().json(parseJson('{"text":"\\u00e9"}').node))).toBe(text);
});

it('keeps the spelling of values it does not seal', () => {
  const text = '{"\\u0061":"\\u0062","n":1.0,"n":2}';
  expect(printJson(new Sealer().json(parseJson(text).node))).toBe(text);
});

it('does not change what is already sealed', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const once = new Sealer({ secrets }).json(toNode(value));
      expect(printJson(new Sealer({ secrets }).json(once))).toBe(printJson(once));
      const again = new Sealer({ secrets });
      expect(printJson(again.json(again.json(toNode(value))))).toBe(printJson(once));
    }),
  );
});

it('seals a secret that only a later place of the text reveals', () => {
  expect(sealed({ a: 'x=abc9secret0&token=abc9secret0' })).toBe(
    '{"a":"x=<<secret token 1>>&token=<<secret token 1>>"}',
  );
});

it('does not change sealed credentials', () => {
  const headers = [
    ['authorization', 'Bearer <<secret token 7>>'],
    ['x-other', 'Basic <<secret token 8>>'],
  ] as const;
  const sealed = new Sealer().headers(headers);
  expect(sealed).toEqual(headers.map(([name, value]) => [name, jsonString(value)]));
});

it('leaves no secret in its output', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const text = sealed(value, { secrets }).split(seals).join('|');
      for (const secret of [...secrets.account_id, 'alice@example.com', 'sk-0123456789abcdef']) {
        expect(text).not.toContain(secret);
      }
    }),
  );
});

const secrets = { account_id: ['acct-123', 'secret token 1'] };

const anyText = fc
  .array(
    fc.constantFrom(
      'acct-123',
      'secret token 1',
      'alice@example.com',
      ' sk-0123456789abcdef',
      'one',
      ' two ',
      'three',
      '<<secret token 1>>',
      '<tag>',
      '{',
      '[',
      '"',
      ' ',
      'é',
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''));

const { value: anyValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    anyText,
    fc.constantFrom(null, 1, true),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.oneof(fc.constantFrom('text', 'email', 'a', '/x/y'), anyText), tie('value'), {
      maxKeys: 3,
    }),
    fc
      .tuple(tie('value'), fc.constantFrom(0, 1))
      .map(([value, indent]) => JSON.stringify({ inner: value }, null, indent)),
  ),
}));

it('replaces the duration in the frame of a tool output, and keeps output of the scenario readable', () => {
  const sealer = new Sealer({ ownTexts: ['alpha'] });
  const sealed = sealer.json(toNode({ text: 'Script completed\nWall time 0.1 seconds\nOutput:\nalpha' }));
  const text = 'Script completed\nWall time <<elapsed>> seconds\nOutput:\nalpha';
  expect(sealed).toEqual(toNode({ text }));
  expect(sealer.json(sealed)).toEqual(sealed);
});

it.each([
  ['a secret', (index: number) => `{"token":"secret-number-${index}","text":"`],
  ['an id', (index: number) => `{"id":"id-number-${index}","text":"`],
])('keeps no text in memory in which it found %s, not even with what it returned', (_, start) => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const sealer = new Sealer();
  const rest = 'word '.repeat(60_000);
  collect();
  const before = process.memoryUsage().heapUsed;
  const kept = Array.from({ length: 200 }, (_, index) =>
    sealer.json(parseJson(`${start(index)}${rest.slice(index)}"}`).node),
  );
  collect();
  // The texts have 60 MB.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
  expect(kept).toHaveLength(200);
});
