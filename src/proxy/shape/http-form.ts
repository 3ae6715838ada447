import type { Settings } from 'node:http2';
import type { Golden } from '../../golden/golden.ts';
import { connectionKind, type Exchange } from '../../golden/trace/exchanges.ts';
import type { Http2Form, HttpForm } from '../http/upstream/http-form.ts';

/**
 * How a version connects for requests over HTTP. The goldens may be of several lanes: whether and how the client uses HTTP/2 does
 * not depend on the sign-in. Without a golden that was recorded over HTTP/2, there is nothing to imitate, so it is not offered.
 */
export function httpFormOf(goldens: readonly Golden[]): HttpForm {
  const exchanges = goldens.flatMap((golden) => golden.exchanges);
  const overHttp = exchanges.filter(({ request }) => connectionKind(request) === 'http');
  const offered = overHttp.flatMap(({ connection }) => connection.tls?.offered ?? []);
  const [sent] = overHttp.flatMap(({ request }) => request.http2 ?? []);
  const http2 = sent && offered.includes('h2') ? http2Form(sent) : undefined;
  const alpn = [...new Set(offered)].filter((protocol) => protocol !== 'h2' || http2 !== undefined);
  return { alpn, http2 };
}

function http2Form({ settings, window, pseudo }: NonNullable<Exchange['request']['http2']>): Http2Form {
  const known = settings.flatMap(([name, value]) => settingFor.get(name)?.(value) ?? []);
  const others = settings.filter(([name]) => !settingFor.has(name));
  const customSettings = Object.fromEntries(
    others.map(([name, value]) => [settingNumbers.get(name) ?? Number(name), value]),
  );
  return {
    settings: Object.assign({}, ...known, others.length === 0 ? {} : { customSettings }),
    window,
    pseudo,
  };
}

/** The settings that Node has names for. */
const settingFor: ReadonlyMap<string, (value: number) => Settings> = new Map<
  string,
  (value: number) => Settings
>([
  ['HEADER_TABLE_SIZE', (headerTableSize: number) => ({ headerTableSize })],
  ['ENABLE_PUSH', (value: number) => ({ enablePush: value === 1 })],
  ['MAX_CONCURRENT_STREAMS', (maxConcurrentStreams: number) => ({ maxConcurrentStreams })],
  ['INITIAL_WINDOW_SIZE', (initialWindowSize: number) => ({ initialWindowSize })],
  ['MAX_FRAME_SIZE', (maxFrameSize: number) => ({ maxFrameSize })],
  ['MAX_HEADER_LIST_SIZE', (maxHeaderListSize: number) => ({ maxHeaderListSize })],
  ['ENABLE_CONNECT_PROTOCOL', (value: number) => ({ enableConnectProtocol: value === 1 })],
]);

/** The numbers of settings that goldens name and Node does not (RFC 9218, section 2.1). */
const settingNumbers: ReadonlyMap<string, number> = new Map([['NO_RFC7540_PRIORITIES', 9]]);
