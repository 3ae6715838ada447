import { SseDecoder } from '../../wire/sse.ts';
import { errorFromBackend, errorFromEvent } from '../http/errors.ts';
import type { BackendMessage } from '../http/upstream/backend-message.ts';
import { type BackendResponse, decoderFor, longestRefusal } from '../http/upstream/send-upstream.ts';
import { readEvent } from '../http/upstream-events.ts';
import type { Renewals } from '../sign-in/renewals.ts';

/** A relayed session, and the holder of the sign-in that its request was sent for. */
export type RelayedAccount = {
  readonly signIns: Renewals;
  readonly session: string;
  /** See holderOf. */
  readonly holder: string;
};

/** Whether the backend may refuse an account with a status. */
export function isAccountStatus(status: number | undefined): boolean {
  return status === 402 || status === 403 || status === 429;
}

/**
 * Reports what the last event of a relayed response says about the account. Returns whether the session's next request gets
 * another account. The history of an official client may have encrypted reasoning, so a session that was served stays.
 */
export function reportEvent(
  { signIns, session, holder }: RelayedAccount,
  type: string,
  text: string,
): boolean {
  if (type === 'response.completed' || type === 'response.incomplete') {
    signIns.served(session, holder);
    return false;
  }
  const error = errorFromEvent(type, text);
  return error !== undefined && signIns.failed(session, { error, holder, canMove: false });
}

/** Reports what a response over HTTP says about the account, while it is streamed to the client. */
export function watchResponse(backend: BackendMessage, account: RelayedAccount): void {
  const { statusCode: status = 0 } = backend;
  if (!account.signIns.hasSeveral) return;
  const decoder = decoderFor(backend);
  // A body that cannot be decompressed still goes to the client as it is.
  decoder?.on('error', () => backend.unpipe(decoder));
  const body = decoder === undefined ? backend : backend.pipe(decoder);
  if (status === 200) {
    const decoder = new SseDecoder();
    body.on('data', (bytes: Buffer) => {
      for (const { data } of decoder.push(bytes)) reportEvent(account, readEvent(data)?.type ?? '', data);
    });
  } else if (isAccountStatus(status)) {
    const chunks: Buffer[] = [];
    let length = 0;
    body.on('data', (bytes: Buffer) => {
      length += bytes.length;
      if (length <= longestRefusal) chunks.push(bytes);
    });
    body.on('end', () => reportRefusal(account, { status, headers: [], body: Buffer.concat(chunks) }));
  }
}

/** Reports what a refusal says about the account. Returns as reportEvent. */
export function reportRefusal(
  { signIns, session, holder }: RelayedAccount,
  response: BackendResponse,
): boolean {
  return signIns.failed(session, { error: errorFromBackend(response), holder, canMove: false });
}
