import { type HeaderList, headerValues } from '../../wire/headers.ts';
import type { RequestContext } from '../request-context.ts';
import type { Transport } from '../shape/request-pattern.ts';
import type { SignIn } from '../sign-in/sign-in.ts';
import { signedHeaders, signedUpgradeHeaders } from './signed-headers.ts';

/**
 * Returns the upstream headers of an official client's upgrade or POST whose content needs no change, so that it is tunnelled.
 * Undefined if something is missing from its messages, or if it has another kind of sign-in than the proxy: the messages depend
 * on that. A client of the golden's version gets the golden's order; any other keeps its own.
 */
export function tunnelHeaders(
  transport: Transport,
  { shape, headers, host }: RequestContext,
  signIn: SignIn,
): HeaderList | undefined {
  const values = headerValues(headers);
  const hasAccount = values.has('chatgpt-account-id');
  if (hasAccount !== (signIn.lane === 'chatgpt') || !shape.isComplete(transport, values)) return undefined;
  if (values.get('version') === shape.codex) {
    return shape.tunnelHeaders(transport, values, { host, signIn });
  }
  return transport === 'http'
    ? signedHeaders(headers, signIn, host)
    : signedUpgradeHeaders(headers, signIn, host);
}
