import type { ClientView, SeenEnd, SeenExchange, SeenMessage } from './client-view.ts';

/** A fault to judge, and what a client sees directly. */
export type JudgedFault = {
  /** Whether a subject may end the response itself, as an error, a refusal, a close or a lost connection. */
  readonly mayBeReported: boolean;
  /** Whether a subject may try again by itself, so that its client sees no failure. */
  readonly mayBeMended: boolean;
  /** The index of the exchange with the fault, and the number of the message before which it happens; 0 at the request. */
  readonly exchange: number;
  readonly message: number;
  /** What a client sees directly, without the fault and with it. */
  readonly plain: ClientView;
  readonly direct: ClientView;
};

/**
 * How a client of the subject fares: it sees what it sees directly (`same`), it sees no failure, as the subject tried again
 * (`mended`), the subject reports the failure in another way that loses nothing (`reported`), or none of them.
 */
export type FaultVerdict =
  | { readonly type: 'same'; readonly end: SeenEnd }
  | { readonly type: 'mended'; readonly end: SeenEnd }
  | { readonly type: 'reported'; readonly end: SeenEnd }
  | { readonly type: 'wrong'; readonly problems: readonly string[] };

/**
 * When a fault happens: at the TLS handshake, at the token endpoint, at the first request alone, at every request, or before the
 * first, a middle or the last message of the last response.
 */
export const faultSteps = ['handshake', 'token', 'once', 'request', 'first', 'middle', 'last'] as const;
export type FaultStep = (typeof faultSteps)[number];

/** What came of one fault. */
export type FaultResult = {
  readonly scenario: string;
  readonly step: FaultStep;
  /** The fault without its place, such as `close:1011`. */
  readonly what: string;
  readonly fault: string;
  readonly verdict: FaultVerdict;
};

/** A scenario that is not played with faults, and why. */
export type SkippedScenario = { readonly scenario: string; readonly reason: string };

/** Judges what the client of a subject saw. */
export function judgeView(view: ClientView, judged: JudgedFault): FaultVerdict {
  const { mayBeReported, mayBeMended, exchange, message, plain, direct } = judged;
  const differences = compareViews(direct, view);
  if (differences.length === 0) return { type: 'same', end: lastEnd(view) };
  if (mayBeMended && compareViews(plain, view).length === 0) return { type: 'mended', end: lastEnd(view) };
  const expected = plain.exchanges[exchange];
  const actual = view.exchanges[exchange];
  if (!mayBeReported || expected === undefined || actual === undefined)
    return { type: 'wrong', problems: differences };
  const before = { ...plain, exchanges: plain.exchanges.slice(0, exchange) };
  const problems = compareViews(before, { ...view, exchanges: view.exchanges.slice(0, exchange) });
  const own = withoutOwnError(actual);
  const sent = expected.messages.slice(0, Math.max(0, message - 1));
  if (actual.end !== 'refused') problems.push(...compareMessages(sent, own, `exchange ${exchange + 1}`));
  else if (message > 0) problems.push(`exchange ${exchange + 1}: refused with ${actual.status}`);
  if (!isFailure(actual)) problems.push(`exchange ${exchange + 1}: ${endText(actual)} instead of a failure`);
  return problems.length === 0 ? { type: 'reported', end: actual.end } : { type: 'wrong', problems };
}

/** The messages without an error with which the subject ends a response itself. It may close the connection after that. */
function withoutOwnError({ messages, end }: SeenExchange): readonly SeenMessage[] {
  const hasError = end === 'error' || messages.at(-1)?.type === 'error';
  return hasError ? messages.slice(0, -1) : messages;
}

function isFailure({ end, status = 0 }: SeenExchange): boolean {
  if (end === 'refused') return status >= 500;
  return end === 'error' || end === 'lost' || (end.startsWith('closed') && end !== 'closed 1000');
}

function lastEnd({ exchanges }: ClientView): SeenEnd {
  return exchanges.at(-1)?.end ?? 'silent';
}

/** What a view lost, doubled, reordered or changed; nothing if both are equal. */
export function compareViews(expected: ClientView, actual: ClientView): string[] {
  const length = Math.max(expected.exchanges.length, actual.exchanges.length);
  return Array.from({ length }, (_, index) => {
    const place = `exchange ${index + 1}`;
    const [before, after] = [expected.exchanges[index], actual.exchanges[index]];
    if (before === undefined) return [`${place}: not made directly`];
    if (after === undefined) return [`${place}: not made`];
    const messages = compareMessages(before.messages, after.messages, place);
    const differs = before.end !== after.end || before.status !== after.status;
    return differs ? [...messages, `${place}: ${endText(after)}, directly ${endText(before)}`] : messages;
  }).flat();
}

function endText({ end, status, messages }: SeenExchange): string {
  if (end === 'refused') return `refused with ${status}`;
  if (status === undefined) return end === 'silent' ? 'no response' : `${end} without a response`;
  return `${end} after ${messages.length} message${messages.length === 1 ? '' : 's'}`;
}

/** How a list of messages differs. */
function compareMessages(
  expected: readonly SeenMessage[],
  actual: readonly SeenMessage[],
  place: string,
): string[] {
  const textOf = (list: readonly SeenMessage[]) => list.map(({ text }) => text).join('\n');
  if (textOf(expected) === textOf(actual)) return [];
  // What is sent twice, such as a request, has two responses with ids of their own.
  const [before, after] = [expected.map(withoutIds), actual.map(withoutIds)];
  const missing = withoutEach(before, after);
  const added = withoutEach(after, before);
  const known = new Set(before.map(({ text }) => text));
  const doubled = added.filter(({ text }) => known.has(text));
  const others = added.filter(({ text }) => !known.has(text));
  if (missing.length + added.length > 0)
    return [
      ...listed(`${place}: lost`, missing),
      ...listed(`${place}: doubled`, doubled),
      ...listed(`${place}: added`, others),
    ];
  return [
    textOf(before) === textOf(after)
      ? `${place}: messages with other ids`
      : `${place}: messages in another order`,
  ];
}

function withoutIds({ type, text }: SeenMessage): SeenMessage {
  return { type, text: text.replaceAll(/<id \d+>/g, '<id>') };
}

/** The messages of a list that are not in another, each as often as it is not. */
function withoutEach(list: readonly SeenMessage[], other: readonly SeenMessage[]): SeenMessage[] {
  const left = other.map(({ text }) => text);
  return list.filter(({ text }) => {
    const index = left.indexOf(text);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}

function listed(what: string, messages: readonly SeenMessage[]): string[] {
  if (messages.length === 0) return [];
  const [first, ...more] = messages;
  return [`${what} ${first?.type}${more.length === 0 ? '' : ` and ${more.length} more`}`];
}
