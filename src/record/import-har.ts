import { inflateSync } from 'node:zlib';
import { z } from 'zod';
import { ParityError } from '../errors.ts';
import { readWhole } from '../files.ts';
import { parseWith } from '../schema.ts';
import type { Observation } from '../trace/observation.ts';
import { Sealer } from '../trace/seal.ts';
import { createTrace } from '../trace/trace.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';
import { limited } from '../wire/content-collector.ts';
import { type HeaderList, headerValue } from '../wire/headers.ts';
import type { Opcode, RequestHead, Side } from '../wire/message.ts';
import { isModelRoute } from '../wire/route.ts';
import { homePaths } from './record-live.ts';

/** The largest HAR that is read, decompressed if it is compressed. */
const maximumBytes = 2 ** 28;

/**
 * Programs that write the headers of HTTP/1.1 into a HAR in the order and capitalisation in which they were sent
 * (measured: mitmproxy 11.0.2 does, Playwright 1.65.1 with Chromium 156 does not). codex-parity is `export`.
 */
const keepsHeaders: ReadonlySet<string> = new Set(['mitmproxy', 'codex-parity']);

/** Websocket opcodes (RFC 6455, section 11.8) of messages. A HAR has no others, but for errors of the browser. */
const opcodes: ReadonlyMap<number, Opcode> = new Map([
  [1, 'text'],
  [2, 'binary'],
]);

const content = z.object({ text: z.string().nullish(), encoding: z.string().nullish() });
const headers = z.array(z.object({ name: z.string(), value: z.string() }));

const entrySchema = z.object({
  startedDateTime: z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'must be a time'),
  request: z.object({
    ...{ method: z.string(), url: z.string(), httpVersion: z.string(), headers },
    postData: content.nullish(),
  }),
  response: z.object({ status: z.number(), httpVersion: z.string(), headers, content: content.nullish() }),
  _webSocketMessages: z
    .array(z.object({ type: z.enum(['send', 'receive']), opcode: z.number(), data: z.string() }))
    .nullish(),
});

/** An entry of HAR 1.2, with the websocket messages of Chrome and mitmproxy. */
type HarEntry = z.infer<typeof entrySchema>;
type HarContent = HarEntry['request']['postData'];
type HarMessage = NonNullable<HarEntry['_webSocketMessages']>[number];

/** What all entries must have; the others are checked only if they are imported. */
const harSchema = z.object({
  log: z.object({
    creator: z.object({ name: z.string() }),
    entries: z.array(z.looseObject({ request: z.looseObject({ url: z.string() }) })),
  }),
});

export type HarImport = {
  /** The program that wrote the HAR. */
  readonly creator: string;
  /** Whether order and capitalisation of all headers are known. */
  readonly headersKnown: boolean;
  /** The requests that were imported, those for a model among them, and those of other hosts. */
  readonly requests: number;
  readonly modelRequests: number;
  readonly leftOut: number;
  /** Requests for a model whose body or messages the HAR does not have. */
  readonly withoutContent: number;
};

/**
 * Reads a HAR and writes a sealed trace of its requests to hosts that serve a model. Nothing unsealed is written.
 *
 * @throws ParityError if the file is not a HAR or has no request for a model, or if the trace exists or cannot be written.
 */
export function importHar(file: string, out: string): HarImport {
  const { log } = parsed(file);
  const urls = log.entries.map(({ request }) => splitUrl(request.url));
  const hosts = new Set(
    urls.flatMap((url) => (url !== undefined && isModelRoute(url.target) ? [url.authority] : [])),
  );
  if (hosts.size === 0)
    throw new ParityError(
      'usage',
      `${file} has no request for a model: its URL ends in /responses. Record the session again, with its websockets`,
    );
  const entries = log.entries
    .map((entry, index) => ({ entry, index, url: urls[index] }))
    .filter(({ url }) => url !== undefined && hosts.has(url.authority))
    .map(({ entry, index }) => checked(file, entrySchema, entry, `log.entries.${index}`))
    .sort(inOrder);
  const { name } = log.creator;
  const observations = entries.flatMap((entry, index) =>
    observationsOf(entry, index + 1, keepsHeaders.has(name)),
  );
  const sealer = new Sealer({ secrets: { path: homePaths() } });
  // A secret that shows itself late is then known from the start.
  const reader = new TraceRecorder(sealer, () => {});
  for (const observation of observations) reader.observe(observation);
  const trace = createTrace(out, { recorded: 'live' });
  const recorder = new TraceRecorder(sealer, trace.write);
  for (const observation of observations) recorder.observe(observation);
  trace.finish();
  const ofModel = entries.filter(({ request }) => isModelRoute(request.url));
  return {
    creator: name,
    headersKnown: observations.every((one) => one.type !== 'request' || one.unordered === undefined),
    requests: entries.length,
    modelRequests: ofModel.length,
    leftOut: log.entries.length - entries.length,
    withoutContent: ofModel.filter(hasNoContent).length,
  };
}

function parsed(file: string): z.infer<typeof harSchema> {
  const text = uncompressed(file, readWhole(file, maximumBytes))
    .toString('utf8')
    .replace(/^\ufeff/, '');
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new ParityError('file-corrupt', `${file} is not a HAR: it is not valid JSON. Export it again`);
  }
  return checked(file, harSchema, document);
}

/** mitmproxy compresses a HAR whose name ends in .zhar: a zlib stream (measured: mitmproxy 11.0.2; RFC 1950). */
function uncompressed(file: string, bytes: Buffer): Buffer {
  const isZlib = bytes[0] === 0x78 && bytes.length > 1 && bytes.readUInt16BE(0) % 31 === 0;
  if (!isZlib) return bytes;
  try {
    return inflateSync(bytes, { maxOutputLength: maximumBytes });
  } catch (error) {
    if (error instanceof RangeError)
      throw new ParityError(
        'file-unreadable',
        `cannot read ${file}: it has more than ${maximumBytes} bytes when it is decompressed. Record a shorter session`,
      );
    throw new ParityError(
      'file-corrupt',
      `${file} is not a HAR: it cannot be decompressed (zlib). Export it again`,
    );
  }
}

function checked<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
  value: unknown,
  at = '',
): z.output<Schema> {
  const result = parseWith(schema, value);
  if (result.ok) return result.data;
  const place = [at, ...result.path].filter((part) => part !== '').join('.') || 'the document';
  throw new ParityError('file-corrupt', `${file} is not a HAR: ${place} ${result.problem}. Export it again`);
}

/** The host with its port, and the request target as it was sent; undefined if the text is not a URL of either. */
function splitUrl(text: string): { readonly authority: string; readonly target: string } | undefined {
  const [, target] = /^(?:https?|wss?):\/\/[^/?#]+([^#]*)/i.exec(text) ?? [];
  if (target === undefined || !URL.canParse(text)) return undefined;
  return { authority: new URL(text).host, target: target.startsWith('/') ? target : `/${target}` };
}

/** mitmproxy writes a websocket when it ends. Times within a millisecond differ in their text only. */
function inOrder({ startedDateTime: a }: HarEntry, { startedDateTime: b }: HarEntry): number {
  return Date.parse(a) - Date.parse(b) || Number(a > b) - Number(a < b);
}

/** What a tap would have observed of an entry, as far as a HAR has it. */
function observationsOf(entry: HarEntry, exchange: number, headersKept: boolean): Observation[] {
  const { request, response, _webSocketMessages: messages } = entry;
  const { authority = '', target = '' } = splitUrl(request.url) ?? {};
  const [sent, received] = [headersOf(request.headers), headersOf(response.headers)];
  const head: RequestHead = {
    method: request.method,
    target,
    version: versionOf(request.httpVersion),
    // HTTP/2 has no such header.
    headers: headerValue(sent, 'host') === undefined ? [['host', authority], ...sent] : sent,
  };
  const inOrder = headersKept && /^HTTP\/1\.[01]$/i.test(request.httpVersion);
  const { status } = response;
  const body = (from: Side, content: HarContent, headers: HeaderList): Observation[] => {
    const bytes = bytesOf(content);
    if (bytes === undefined || bytes.length === 0) return [];
    // A HAR has bodies without their content encoding.
    const own = headers.filter(([name]) => name.toLowerCase() !== 'content-encoding');
    return [{ type: 'body', exchange, from, target, headers: own, bytes: limited(bytes), complete: true }];
  };
  return [
    { type: 'connection', connection: exchange, authority, imported: 'HAR' },
    { type: 'request', connection: exchange, exchange, head, ...(inOrder ? {} : { unordered: true }) },
    ...body('client', request.postData, sent),
    ...(status === 0 ? [] : [responseOf(exchange, response, received)]),
    ...body('backend', response.content, received),
    ...(messages ?? []).flatMap((message) => messageOf(exchange, message)),
  ];
}

function responseOf(
  exchange: number,
  { status, httpVersion }: HarEntry['response'],
  headers: HeaderList,
): Observation {
  return {
    type: 'response',
    exchange,
    head: { status, reason: '', version: versionOf(httpVersion), headers },
  };
}

function messageOf(exchange: number, { type, opcode: number, data }: HarMessage): Observation[] {
  const opcode = opcodes.get(number);
  if (opcode === undefined) return [];
  const payload = limited(Buffer.from(data, opcode === 'text' ? 'utf8' : 'base64'));
  return [
    { type: 'message', exchange, from: type === 'send' ? 'client' : 'backend', message: { opcode, payload } },
  ];
}

/** Without the fields of HTTP/2 that are not headers, such as `:authority`, which Chrome writes. */
function headersOf(list: HarEntry['request']['headers']): HeaderList {
  return list.filter(({ name }) => !name.startsWith(':')).map(({ name, value }) => [name, value]);
}

function versionOf(text: string): '1.0' | '1.1' {
  return /^HTTP\/1\.0$/i.test(text) ? '1.0' : '1.1';
}

function bytesOf(body: HarContent): Buffer | undefined {
  if (typeof body?.text !== 'string') return undefined;
  return Buffer.from(body.text, body.encoding === 'base64' ? 'base64' : 'utf8');
}

function hasNoContent({ request, response, _webSocketMessages: messages }: HarEntry): boolean {
  if (response.status === 101) return (messages ?? []).length === 0;
  return request.method === 'POST' && bytesOf(request.postData) === undefined;
}
