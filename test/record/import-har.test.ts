import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, deflateSync } from 'node:zlib';
import { expect, it, onTestFinished } from 'vitest';
import { liveFindings } from '../../src/diff/live.ts';
import { eventsOf, exchangesOf } from '../../src/golden/trace/exchanges.ts';
import { importHar } from '../../src/record/import-har.ts';
import { har } from '../../src/report/har.ts';
import { readTrace } from '../../src/trace/trace.ts';
import { committedGolden } from '../golden/committed-goldens.ts';
import { fillGolden } from '../golden/fill-golden.ts';

const repository = join(import.meta.dirname, '..', '..');
const golden = (scenario: string) =>
  committedGolden(join(repository, 'traces', '0.171.0', 'chatgpt', `${scenario}.golden.jsonl`));

/** Imports a HAR. */
function imported(document: string | Buffer) {
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [file, out] = [join(folder, 'a.har'), join(folder, 'a.trace.jsonl')];
  writeFileSync(file, document);
  const summary = importHar(file, out);
  const { live, events } = readTrace(out);
  return { summary, live, exchanges: exchangesOf(events), text: readFileSync(out, 'utf8') };
}

/** What mitmproxy 11.0.2 exported of Codex 0.171.0 and the simulated backend (`hardump`), then sealed. */
const ofMitmproxy = (name: string) =>
  readFileSync(join(import.meta.dirname, `mitmproxy-${name}.har`), 'utf8');

it.each([
  ['websocket', 'fast', 1],
  ['http', 'http-fast', 2],
])(
  'imports a session over %s from mitmproxy, in which diff finds nothing',
  (name, scenario, modelRequests) => {
    const { summary, live, exchanges } = imported(ofMitmproxy(name));
    expect(summary).toMatchObject({
      creator: 'mitmproxy',
      headersKnown: true,
      modelRequests,
      leftOut: 1,
      withoutContent: 0,
    });
    expect(live).toBe(true);
    const { findings, information } = liveFindings(golden(scenario), exchanges);
    expect(findings).toEqual([]);
    expect(information.map(({ type }) => type)).not.toContain('further');
  },
);

it('imports what mitmproxy compresses, at each level of zlib', () => {
  const { summary, text } = imported(ofMitmproxy('websocket'));
  for (const level of [1, 6, 9]) {
    const compressed = imported(deflateSync(ofMitmproxy('websocket'), { level }));
    expect(compressed.summary).toEqual(summary);
    expect(compressed.text).toBe(text);
  }
});

it('says in one line that a compressed HAR is cut off, or too long', () => {
  const compressed = deflateSync(ofMitmproxy('websocket'));
  expect(() => imported(compressed.subarray(0, -8))).toThrow(
    /a\.har is not a HAR: it cannot be decompressed \(zlib\)\. Export it again$/,
  );
  const megabyte = deflateSync(Buffer.alloc(2 ** 20, ' '), { finishFlush: constants.Z_FULL_FLUSH });
  const [head, block] = [megabyte.subarray(0, 2), megabyte.subarray(2)];
  expect(() => imported(Buffer.concat([head, ...Array.from({ length: 257 }, () => block)]))).toThrow(
    /^cannot read .*a\.har: it has more than 268435456 bytes when it is decompressed/,
  );
});

it('finds what differs in an imported session', () => {
  const text = ofMitmproxy('websocket')
    .replaceAll('"session-id"', '"Session-Id"')
    .replaceAll('\\"service_tier\\":\\"priority\\",', '');
  const { findings } = liveFindings(golden('fast'), imported(text).exchanges);
  expect(findings.map(({ kind }) => kind).sort()).toEqual(['missing', 'recased']);
});

it('does not compare the order and capitalisation of headers that the exporting program does not keep', () => {
  const shuffled = JSON.parse(ofMitmproxy('websocket').replace('"name": "mitmproxy"', '"name": "Chrome"'));
  for (const { request } of shuffled.log.entries) {
    request.headers.reverse();
    for (const header of request.headers) header.name = header.name.toLowerCase();
  }
  const { summary, exchanges } = imported(JSON.stringify(shuffled));
  expect(summary).toMatchObject({ creator: 'Chrome', headersKnown: false });
  expect(liveFindings(golden('fast'), exchanges).findings).toEqual([]);
});

it('reads HTTP/2: names in lower case, and the host as a field that is no header', () => {
  const document = JSON.parse(ofMitmproxy('http'));
  for (const { request } of document.log.entries) {
    request.httpVersion = 'HTTP/2.0';
    request.headers = request.headers.map(({ name, value }: { name: string; value: string }) =>
      name.toLowerCase() === 'host' ? { name: ':authority', value } : { name: name.toLowerCase(), value },
    );
  }
  const { exchanges } = imported(JSON.stringify(document));
  expect(liveFindings(golden('http-fast'), exchanges).findings).toEqual([]);
});

it('takes entries in the order of their times', () => {
  const document = JSON.parse(ofMitmproxy('http'));
  document.log.entries.reverse();
  const { exchanges } = imported(JSON.stringify(document));
  expect(exchanges.map(({ request }) => request.method)).toEqual(['GET', 'POST']);
});

it('seals secrets and texts, also where they come before what shows them', () => {
  const text = ofMitmproxy('websocket')
    .replaceAll('<<secret token 1>>', 'tok-0123456789')
    .replaceAll('Reply with exactly: OK', 'the token is tok-0123456789, keep it')
    .replaceAll('/codex/responses', '/tok-0123456789/codex/responses')
    .replaceAll('<<secret account_id 1>>', 'acct-123456');
  const document = JSON.parse(text);
  const [first, last] = [document.log.entries[1], document.log.entries.at(-1)];
  first.request.headers.push({ name: 'x-early', value: 'late-0123456789' });
  last.response.headers.push({ name: 'set-cookie', value: 'late-0123456789' });
  const sealed = imported(JSON.stringify(document)).text;
  for (const secret of ['tok-0123456789', 'late-0123456789', 'acct-123456', 'keep it'])
    expect(sealed).not.toContain(secret);
  expect(sealed).toContain('Bearer <<secret token 1>>');
});

it('keeps binary messages by length and hash, and leaves out opcodes that are no messages', () => {
  const document = JSON.parse(ofMitmproxy('websocket'));
  const entry = document.log.entries.find((one: object) => '_webSocketMessages' in one);
  entry._webSocketMessages = [
    { type: 'send', time: 1, opcode: 2, data: Buffer.from([1, 2, 255]).toString('base64') },
    { type: 'receive', time: 2, opcode: -1, data: 'an error of the browser' },
  ];
  const [exchange] = imported(JSON.stringify(document)).exchanges;
  expect(exchange?.steps.slice(1)).toEqual([
    expect.objectContaining({
      opcode: 'binary',
      content: expect.objectContaining({ kind: 'bytes', bytes: 3 }),
    }),
  ]);
});

it('says how many model requests have no content', () => {
  const document = JSON.parse(ofMitmproxy('http'));
  for (const { request } of document.log.entries) delete request.postData;
  expect(imported(JSON.stringify(document)).summary.withoutContent).toBe(1);
});

it.each([
  ...['fast', 'subagent', 'interrupt', 'close-1011', 'binary-message', 'upgrade-404', 'refresh-refused'],
  ...['image-input', 'http-tool-turn', 'http-cut-off'],
])('exports and imports a session like %s, in which diff finds nothing', (scenario) => {
  const expected = golden(scenario);
  const document = har(fillGolden(expected, 1).flatMap(eventsOf), '1.0.0');
  expect(liveFindings(expected, imported(JSON.stringify(document)).exchanges).findings).toEqual([]);
});

const minimal = (entry: object) => JSON.stringify({ log: { creator: { name: 'x' }, entries: [entry] } });
const url = 'https://chatgpt.com/backend-api/codex/responses';

it.each([
  ['not JSON', '{"log":', /is not a HAR: it is not valid JSON\. Export it again$/],
  ['another document', '[]', /is not a HAR: the document must be an object\. Export it again$/],
  [
    'no entries',
    '{"log":{"creator":{"name":"x"}}}',
    /is not a HAR: log\.entries is missing\. Export it again$/,
  ],
  ['no model request', minimal({ request: { url: 'https://example.com/' } }), /has no request for a model/],
  ['no headers', minimal({ request: { url } }), /is not a HAR: log\.entries\.0\.startedDateTime is missing/],
])('rejects a HAR with %s in one line', (_, document, problem) => {
  expect(() => imported(document)).toThrow(problem);
});
