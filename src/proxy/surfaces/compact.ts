import type { HeaderList } from '../../wire/headers.ts';
import { passThrough } from '../relay/relay-http.ts';
import type { HttpContext } from '../request-context.ts';
import { identityOf } from '../sessions/run-turn.ts';
import { readTurnRequest } from '../sessions/turn-request.ts';
import { printMembers } from '../shape/raw-json.ts';
import { readRequestText } from './http-turn.ts';

/** Members of a request for a response that a request to compact lacks (measured: codex 0.137.0). */
const absent: ReadonlySet<string> = new Set([
  'type',
  'stream',
  'store',
  'include',
  'generate',
  'client_metadata',
]);

/**
 * Serves a program's `POST /v1/responses/compact`, by the rules for requests. The response is forwarded unchanged. The
 * account is that of the session: it has made the reasoning that the request contains.
 */
export async function serveCompact(context: HttpContext): Promise<void> {
  const request = readTurnRequest(await readRequestText(context), context.shape);
  const { members } = request;
  const body = Buffer.from(printMembers(members.filter(([key]) => !absent.has(key))));
  const bodyHeaders = /^(?:content-(?:encoding|length)|transfer-encoding)$/i;
  const others = context.headers.filter(([name]) => !bodyHeaders.test(name));
  const headers: HeaderList = [...others, ['content-length', String(body.length)]];
  await passThrough({ ...context, headers, identity: await identityOf(context, request) }, body);
}
