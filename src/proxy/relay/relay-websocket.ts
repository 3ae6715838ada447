import type { RawData } from 'ws';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { negotiatedDeflate } from '../../wire/websocket-deflate.ts';
import { proxyError, toApiError } from '../http/errors.ts';
import { toBuffer } from '../http/frame-writer.ts';
import { endWithError, refuseUpgrade } from '../http/send.ts';
import { type AcceptedTunnel, openTunnel } from '../http/upstream/open-tunnel.ts';
import { openUpstream, type RefusedUpgrade, type UpgradeResult } from '../http/upstream/open-upstream.ts';
import { upstreamUrl } from '../http/upstream/send-upstream.ts';
import type { UpgradeContext } from '../request-context.ts';
import type { Identity } from '../shape/identity.ts';
import { rawString, requestMembers } from '../shape/raw-json.ts';
import { wireTier } from '../shape/tier.ts';
import { mostAccountChanges } from '../sign-in/renewals.ts';
import { holderOf, type SignIn } from '../sign-in/sign-in.ts';
import { stoppingCode, whenStopping } from '../stopping.ts';
import { joinWebSockets, type RelayedUpgrade } from './join-websockets.ts';
import { type RelayedAccount, reportRefusal } from './relayed-account.ts';
import { signedUpgradeHeaders } from './signed-headers.ts';
import { joinTunnel } from './tunnel.ts';
import { tunnelHeaders } from './tunnel-decision.ts';
import { mustUseHttp, useHttp } from './use-http.ts';

/** The model and tier of the first request, which the golden's handshake states. */
type RoutingHint = { readonly model: string; readonly tier: string | undefined };

/**
 * Relays the websocket of an official client, which does its own retries. Connects to the backend before it responds
 * to the client, so that a refusal by the backend becomes a refusal of the client's upgrade. If nothing is missing from the
 * client's handshake, nothing is missing from its messages either, and the websocket is tunnelled.
 */
export async function relayWebSocket(context: UpgradeContext, identity: Identity): Promise<void> {
  const signIn = await context.signIns.current(identity.session);
  if (!signIn.websockets || (await mustUseHttp(context, identity))) {
    const message = signIn.websockets ? 'this thread must use HTTP' : 'the sign-in forbids websockets';
    const error = proxyError(upgradeRequired, 'upstream_refused', message);
    return endWithError(context.socket, error, error.event);
  }
  const ownHeaders = tunnelHeaders('websocket', context, signIn);
  if (ownHeaders !== undefined) return tunnel(context, identity, { signIn, headers: ownHeaders });
  const shaper = context.shape.shaper('websocket', { identity, clientHeaders: context.headers });
  const relayed = { context, identity, shaper };
  const hint = hintOf(context);
  if (hint === undefined) return relayAfterFirstMessage(relayed);
  const upgrade = await openBackend(relayed, hint);
  if (upgrade.kind === 'refused') return refuseUpgrade(context.socket, upgrade.response);
  const { socket: backend, headers, account } = upgrade;
  const client = await context.accept(headers);
  joinWebSockets(relayed, { client, backend, account, waiting: [] });
}

/** Sends the client's own handshake upstream, and the backend's response to the client. Bytes then pass as they are. */
async function tunnel(
  context: UpgradeContext,
  identity: Identity,
  first: { readonly signIn: SignIn; readonly headers: HeaderList },
): Promise<void> {
  requireHandshake(context);
  const { host, headers, socket, signal, metrics } = context;
  const url = upstreamUrl(context.upstream, context.target);
  const upgrade = await openFor(context, identity, (signIn) => {
    const sent =
      signIn.accessToken === first.signIn.accessToken
        ? first.headers
        : tunnelHeaders('websocket', context, signIn);
    // The account may be of another kind after a change.
    return openTunnel(context, { url, signal, headers: sent ?? signedUpgradeHeaders(headers, signIn, host) });
  });
  if (upgrade.kind === 'refused') return refuseUpgrade(socket, upgrade.response);
  metrics.add('tunnels_total');
  socket.write(switchingResponse(upgrade));
  joinTunnel({
    context,
    identity,
    backend: upgrade,
    deflate: negotiatedDeflate(upgrade.headers) !== null,
    account: upgrade.account,
  });
}

/** The backend's 101 response, without what could announce a body. */
function switchingResponse({ reason, headers }: AcceptedTunnel): Buffer {
  const kept = headers.filter(([name]) => !/^(?:content-length|transfer-encoding|trailer)$/i.test(name));
  const lines = [`HTTP/1.1 101 ${reason}`, ...kept.map((field) => field.join(': '))];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/**
 * Refuses a handshake that two servers could understand differently. The others need no such check: the proxy's own websocket
 * ends there. Throws ApiError.
 */
function requireHandshake({ headers, request }: UpgradeContext): void {
  const values = (name: string) =>
    headers.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value.trim());
  const isValid =
    request.httpVersion === '1.1' &&
    values('upgrade').join().toLowerCase() === 'websocket' &&
    values('connection')
      .join()
      .toLowerCase()
      .split(/\s*,\s*/)
      .includes('upgrade') &&
    values('sec-websocket-version').join() === '13' &&
    /^[+/\dA-Za-z]{22}==$/.test(values('sec-websocket-key').join()) &&
    values('content-length').length + values('transfer-encoding').length === 0;
  if (!isValid) throw proxyError(400, 'bad_handshake', 'this is not a handshake of websocket version 13');
}

/**
 * Relays the websocket of an official client whose handshake lacks the hint that the golden's has: an older client, or
 * one that is configured with the proxy as another provider. Its first message has the model and the tier, so its
 * upgrade is accepted before the backend is connected.
 */
async function relayAfterFirstMessage(relayed: RelayedUpgrade): Promise<void> {
  const { context, identity } = relayed;
  const client = await context.accept([]);
  const waiting: Buffer[] = [];
  const collect = (data: RawData) => waiting.push(toBuffer(data));
  client.on('message', collect);
  whenStopping(context, () => {
    if (waiting.length === 0) client.close(stoppingCode);
  });
  await new Promise((resolve) => client.once('message', resolve).once('close', resolve));
  const members = requestMembers(waiting[0]?.toString('utf8') ?? '');
  if (members === undefined) return client.terminate();
  // Further messages wait in the client's socket until the backend is connected.
  client.pause();
  try {
    const model = rawString(members, 'model') ?? '';
    const upgrade = await openBackend(relayed, { model, tier: wireTier(rawString(members, 'service_tier')) });
    if (upgrade.kind === 'accepted') {
      client.off('message', collect);
      const { socket: backend, account } = upgrade;
      return joinWebSockets(relayed, { client, backend, account, waiting });
    }
    const { status } = upgrade.response;
    if (status === upgradeRequired) useHttp(context, identity);
    client.send(proxyError(status, 'upstream_refused', 'the backend refused the upgrade').event);
  } catch (error) {
    client.send(toApiError(error).event);
  }
  client.resume();
  client.close(1011);
}

/** Opens the backend's websocket in the golden's shape. It ends when the client disconnects. */
async function openBackend(
  { context, identity, shaper }: RelayedUpgrade,
  { model, tier }: RoutingHint,
): Promise<UpgradeResult & { readonly account: RelayedAccount }> {
  const { signal, host } = context;
  const url = upstreamUrl(context.upstream, context.target);
  const upgrade = await openFor(context, identity, (signIn) =>
    openUpstream(context, {
      url,
      signal,
      passesAnyText: true,
      headers: (key) => shaper.handshakeHeaders({ host, signIn, key, model, tier }),
    }),
  );
  if (upgrade.kind === 'accepted') {
    const { socket } = upgrade;
    signal.addEventListener('abort', () => socket.terminate(), { once: true });
    if (signal.aborted) socket.terminate();
  }
  return upgrade;
}

/**
 * Makes an upgrade with the sign-in of its session. One that is refused because the limit of the account is reached is made
 * again for another account, if the session has not begun.
 */
async function openFor<Accepted extends { readonly kind: 'accepted' }>(
  { signIns }: UpgradeContext,
  { session }: Identity,
  open: (signIn: SignIn) => Promise<Accepted | RefusedUpgrade>,
): Promise<(Accepted | RefusedUpgrade) & { readonly account: RelayedAccount }> {
  for (let changes = 0; ; changes += 1) {
    const signIn = await signIns.current(session);
    const account = { signIns, session, holder: holderOf(signIn) };
    const upgrade = await open(signIn);
    if (upgrade.kind === 'refused') {
      if (upgrade.response.status === 401) signIns.refused(session, signIn);
      else if (reportRefusal(account, upgrade.response) && changes < mostAccountChanges) continue;
    }
    return { ...upgrade, account };
  }
}

/**
 * After this status the official client uses HTTP for the rest of the session (measured: codex 0.169.0). A client whose
 * upgrade was already accepted cannot receive it. Such a client connects again, and receives it then.
 */
const upgradeRequired = 426;

/** The hint in a client's handshake. Undefined when the golden's handshake has one and the client's does not. */
function hintOf({ shape, headers }: UpgradeContext): RoutingHint | undefined {
  if (!shape.handshakeNamesModel) return { model: '', tier: undefined };
  const hint = /^model=([^;]+)(?:;tier=([^;]+))?$/.exec(headerValue(headers, 'x-codex-routing-hint') ?? '');
  return hint?.[1] === undefined ? undefined : { model: hint[1], tier: wireTier(hint[2]) };
}
