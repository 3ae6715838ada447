import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { type HeaderList, headerValue, pairHeaders } from '../../wire/headers.ts';
import type { ProxyContext } from '../context.ts';
import { proxyError } from '../http/errors.ts';
import { endWithError, refuseUpgrade } from '../http/send.ts';
import { openUpstream, type UpgradeResult } from '../http/upstream/upgrade.ts';
import { upstreamUrl } from '../routes.ts';
import type { Identity } from '../shape/identity.ts';
import { rawString } from '../shape/raw-json.ts';
import { requestMembers } from '../shape/read-request.ts';
import type { Shape } from '../shape/shape.ts';
import { wireTier } from '../shape/tier.ts';
import { relay, toBuffer } from './relay.ts';

/** Accepts the client's upgrade, with further headers in the answer. */
export type Accept = (headers: HeaderList) => Promise<WebSocket>;

/** What the handshake must know of a request, where the golden's client hints at it. */
type Hint = { readonly model: string; readonly tier: string | undefined };

/**
 * Relays the websocket of an official client, which does its own retries. The backend is asked first and the client
 * answered second, so that a refusal reaches it as a refusal of its own upgrade.
 */
export async function relayWebSocket(
  context: ProxyContext,
  request: IncomingMessage,
  socket: Duplex,
  accept: Accept,
  identity: Identity,
  gone: AbortSignal,
): Promise<void> {
  const heard = pairHeaders(request.rawHeaders);
  const shaper = context.shape.shaper('websocket', { identity, clientHeaders: heard });
  const shaped = (text: string) => {
    const members = requestMembers(text);
    // What steers a running turn (`response.interrupt`, since 0.166) is no request and goes up as it came.
    const isRequest = members !== undefined && rawString(members, 'type') === 'response.create';
    return isRequest ? shaper.body(members).text : undefined;
  };
  const open = async ({ model, tier }: Hint): Promise<UpgradeResult> => {
    const signIn = await context.signIns.current(identity.session);
    const upgrade = await openUpstream({
      url: upstreamUrl(context.upstream, request.url ?? '/'),
      compresses: context.shape.compresses,
      signal: gone,
      connectTime: context.limits.connectTime,
      maximumBytes: context.limits.bodyBytes,
      headers: (key) => shaper.handshakeHeaders({ host: context.host, signIn, key, model, tier }),
    });
    context.metrics.add('upstream_connections_total', 1, 'transport=websocket');
    if (upgrade.kind === 'accepted') {
      const { socket: backend } = upgrade;
      gone.addEventListener('abort', () => backend.terminate(), { once: true });
      if (gone.aborted) backend.terminate();
    }
    if (upgrade.kind === 'refused') {
      const { status } = upgrade.response;
      if (status === 401) context.signIns.refused(identity.session, signIn);
      context.metrics.add('upstream_refusals_total', 1, `status=${status}`);
      context.log.info({ status }, `the backend refused the upgrade with ${status}`);
    }
    return upgrade;
  };

  const onTurn = (running: boolean) => context.metrics.add('running_turns', running ? 1 : -1);
  const hint = hintIn(heard, context.shape);
  if (hint !== undefined) {
    const upgrade = await open(hint);
    if (upgrade.kind === 'refused') return refuseUpgrade(socket, upgrade.response);
    const client = await accept(upgrade.headers);
    return relay(client, socket, upgrade.socket, shaped, [], onTurn);
  }
  if (context.withoutWebsockets.has(identity.session)) {
    const reason = proxyError(noWebsockets, 'upstream_refused', 'the backend takes no websockets');
    return endWithError(socket, reason, reason.event);
  }
  // A client that does not say at once what the golden's would, as an older one, or one that takes the proxy for a
  // provider of another name: its first message must be awaited.
  const client = await accept([]);
  const said: Buffer[] = [];
  const collect = (data: Parameters<typeof toBuffer>[0]) => said.push(toBuffer(data));
  client.on('message', collect);
  const members = requestMembers(await firstMessage(client));
  if (members === undefined) return client.terminate();
  // What else it says waits in its own socket until the backend is there.
  client.pause();
  try {
    const upgrade = await open({
      model: rawString(members, 'model') ?? '',
      tier: wireTier(rawString(members, 'service_tier')),
    });
    if (upgrade.kind === 'accepted') {
      client.off('message', collect);
      return relay(client, socket, upgrade.socket, shaped, said, onTurn);
    }
    const { status } = upgrade.response;
    if (status === noWebsockets) remember(context, identity.session);
    client.send(proxyError(status, 'upstream_refused', 'the backend refused the upgrade').event);
  } catch {
    client.send(proxyError(502, 'upstream_unreachable', 'the backend cannot be reached').event);
  }
  client.resume();
  client.close(1011);
}

/**
 * The status after which the official client asks by HTTP for the rest of the session (measured: codex 0.169.0). A
 * client that was accepted already cannot hear it for this upgrade; it comes again, and hears it for the next.
 */
const noWebsockets = 426;

/** The session that was remembered first is forgotten first. */
function remember({ withoutWebsockets, limits }: ProxyContext, session: string): void {
  withoutWebsockets.add(session);
  for (const oldest of withoutWebsockets) {
    if (withoutWebsockets.size <= limits.sessions) break;
    withoutWebsockets.delete(oldest);
  }
}

/** What an official client's handshake tells of its first request; undefined where that must be awaited. */
function hintIn(heard: HeaderList, shape: Shape): Hint | undefined {
  if (!shape.handshakeNamesModel) return { model: '', tier: undefined };
  const hint = /^model=([^;]+)(?:;tier=(\w+))?$/.exec(headerValue(heard, 'x-codex-routing-hint') ?? '');
  return hint?.[1] === undefined ? undefined : { model: hint[1], tier: wireTier(hint[2]) };
}

/** The client's first message; empty when it leaves before. */
function firstMessage(client: WebSocket): Promise<string> {
  return new Promise((resolve) => {
    client.once('message', (data) => resolve(toBuffer(data).toString('utf8')));
    client.once('close', () => resolve(''));
  });
}
