import type { Attempt } from './backend.ts';
import { type Outcome, parseJson } from './client.ts';
import { type PlannedSession, type PlannedTurn, turnId } from './plan.ts';

/** What a turn came to. */
export type Verdict = {
  readonly kind: 'content' | 'error' | 'left';
  /** What is wrong with it. */
  readonly breaches: readonly string[];
};

/** A turn as planned, as its client received it, and as the backend did. */
export type PlayedTurn = {
  readonly session: PlannedSession;
  readonly turn: PlannedTurn;
  readonly outcome: Outcome;
  readonly attempts: readonly Attempt[];
};

/** The most requests for one turn: six over the websocket, and four over HTTP. */
const mostAttempts = 10;

/**
 * Judges a turn: its client must have received the content of one attempt, exactly, or the start of that and a clear error
 * where the plan allows one. The backend must have received the turn with its conversation, once unless it failed.
 */
export function judgeTurn(played: PlayedTurn): Verdict {
  const { session, turn, outcome, attempts } = played;
  const received = receivedContent(played);
  const kind = outcome.ending === 'left' ? 'left' : received.error === undefined ? 'content' : 'error';
  const breaches = [...received.breaches, ...upstreamBreaches(played)];
  const isRelayed = session.surface.startsWith('official');
  // The proxy waits for the backend as long as an official client does.
  if (outcome.ending === 'late' && !(isRelayed && turn.fault?.how === 'silence')) {
    breaches.push('the client received nothing for a long time');
  }
  if (kind === 'error' && mustSucceed(played)) breaches.push(`an error without need: ${received.error}`);
  if (kind === 'content' && outcome.ending === 'cut' && !(isRelayed && turn.fault !== undefined)) {
    breaches.push('the response was cut off without an error');
  }
  if (kind === 'content' && attempts.length === 0) breaches.push('the backend received no request');
  return { kind, breaches: breaches.map((breach) => `${turn.id} (${session.surface}): ${breach}`) };
}

/** Whether the turn must get its content: without a fault, or with one that a retry fixes. */
function mustSucceed({ session, turn, attempts }: PlayedTurn): boolean {
  const { fault } = turn;
  if (fault === undefined) return true;
  if (session.surface.startsWith('official')) return fault.at === 'prewarm';
  if (fault.at === 'prewarm') return true;
  if (fault.at === 'upgrade')
    return typeof fault.how === 'string' || (fault.how !== 429 && !(fault.how === 401 && fault.times > 2));
  if (fault.times > 1 || fault.how === 400 || fault.how === 429) return false;
  if (fault.at === 'middle' && !turn.whole) return false;
  // A POST without a response is not sent again.
  return !(fault.how === 'silence' && attempts[0]?.transport === 'http');
}

function upstreamBreaches({ turn, outcome, attempts }: PlayedTurn): string[] {
  const expected = [...outcome.before, `u:${turn.id}`].join(' ');
  const breaches = attempts
    .filter(({ conversation }) => conversation.join(' ') !== expected)
    .map(({ conversation }) => `the backend received "${conversation.join(' ')}" instead of "${expected}"`);
  const most = turn.fault === undefined ? 1 : mostAttempts;
  if (attempts.length > most) breaches.push(`the backend received it ${attempts.length} times`);
  return breaches;
}

type ReceivedContent = { readonly error: string | undefined; readonly breaches: readonly string[] };

function receivedContent(played: PlayedTurn): ReceivedContent {
  const { session, outcome } = played;
  const foreign = foreignTurns(played);
  const breaches = foreign.length === 0 ? [] : [`the client received texts of ${foreign.join(', ')}`];
  const read =
    outcome.body !== undefined
      ? wholeBody(played, outcome.body)
      : session.surface === 'chat'
        ? chatChunks(played)
        : responseEvents(played);
  return { error: read.error, breaches: [...breaches, ...read.breaches] };
}

/** The turns of other sessions, or earlier ones, of which the client received texts. */
function foreignTurns({ turn, outcome: { events, body = '' } }: PlayedTurn): string[] {
  const ids = new Set([...events, body].flatMap((text) => text.match(turnId) ?? []));
  ids.delete(turn.id);
  return [...ids];
}

function wholeBody({ turn, session, outcome, attempts }: PlayedTurn, body: string): ReceivedContent {
  const parsed = parseJson(body);
  if (outcome.status !== 200) return errorIn(parsed, `status ${outcome.status}`);
  if (!turn.whole) return { error: undefined, breaches: ['a whole body instead of a stream'] };
  const [text, toolArguments] =
    session.surface === 'chat'
      ? [
          parsed?.choices?.[0]?.message?.content,
          parsed?.choices?.[0]?.message?.tool_calls?.[0]?.function?.arguments,
        ]
      : [parsed?.output?.[0]?.content?.[0]?.text, parsed?.output?.[1]?.arguments];
  return { error: undefined, breaches: contentBreaches(attempts, text, toolArguments) };
}

function chatChunks({ outcome: { events, ending }, attempts }: PlayedTurn): ReceivedContent {
  const isDone = events.at(-1) === '[DONE]';
  const chunks = events.filter((event) => event !== '[DONE]').map(parseJson);
  const last = chunks.at(-1);
  const failed = last?.error !== undefined;
  const deltas = chunks.map((chunk) => chunk?.choices?.[0]?.delta);
  const text = deltas.map((delta) => delta?.content ?? '').join('');
  const toolArguments = deltas.map((delta) => delta?.tool_calls?.[0]?.function?.arguments ?? '').join('');
  if (!failed && isDone) {
    const finishes = chunks.filter((chunk) => typeof chunk?.choices?.[0]?.finish_reason === 'string').length;
    const ends = finishes === 1 ? [] : [`${finishes} finish reasons`];
    return {
      error: undefined,
      breaches: [...ends, ...contentBreaches(attempts, text, toolArguments || undefined)],
    };
  }
  const isStart = attempts.some(
    (attempt) => attempt.text.startsWith(text) && (attempt.toolArguments ?? '').startsWith(toolArguments),
  );
  const breaches =
    isStart || text + toolArguments === '' ? [] : [`not the start of the content: ${excerpt(text)}`];
  if (failed) {
    const { error, breaches: unclear } = errorIn(last, 'a chunk');
    return { error, breaches: [...breaches, ...unclear] };
  }
  return {
    error: undefined,
    breaches: ending === 'ended' ? [...breaches, 'the stream ended without an end'] : breaches,
  };
}

/** Compares events with those that the backend sent. All must be there in order, or the first ones and then an error. */
function responseEvents({ session, outcome, attempts }: PlayedTurn): ReceivedContent {
  const { events, ending, status } = outcome;
  const isRelayed = session.surface.startsWith('official');
  const last = parseJson(events.at(-1) ?? '');
  const failed = last?.type === 'error';
  const content = failed ? events.slice(0, -1) : events;
  const previous = JSON.stringify(outcome.previous ?? null);
  const sent = attempts.map((attempt) =>
    isRelayed ? attempt.events : publicEvents(attempt.events, previous),
  );
  const match = sent.find((all) => content.every((event, index) => event === all[index]));
  const breaches = match === undefined && content.length > 0 ? [orderBreach(content, sent)] : [];
  if (failed) {
    const { error, breaches: unclear } = errorIn(last, 'an event');
    return { error, breaches: [...breaches, ...unclear] };
  }
  if (match !== undefined && content.length === match.length) return { error: undefined, breaches };
  // A relayed client sees a connection that ends as the backend's did.
  if (isRelayed && ending === 'cut') return { error: `cut off, status ${status}`, breaches };
  if (isRelayed && ending === 'ended') return { error: 'ended early', breaches };
  return {
    error: undefined,
    breaches: ending === 'ended' ? [...breaches, 'the stream ended without an end'] : breaches,
  };
}

/** Describes the first event that is not the one that the backend sent at this place. */
function orderBreach(content: readonly string[], sent: readonly (readonly string[])[]): string {
  const equal = sent.map((all) => content.findIndex((event, index) => event !== all[index]));
  const at = Math.max(0, ...equal);
  const expected = sent[equal.indexOf(at)]?.[at] ?? 'none';
  return `event ${at + 1} is ${excerpt(content[at] ?? '')}, and the backend sent ${excerpt(expected)}`;
}

function contentBreaches(attempts: readonly Attempt[], text: unknown, toolArguments: unknown): string[] {
  const isOne = attempts.some((attempt) => attempt.text === text && attempt.toolArguments === toolArguments);
  return isOne ? [] : [`not the content of an attempt: ${excerpt(String(text))} ${toolArguments ?? ''}`];
}

/** An error must have a message. */
function errorIn(value: { error?: { message?: unknown } } | undefined, where: string): ReceivedContent {
  const message = value?.error?.message;
  if (typeof message === 'string' && message !== '') return { error: message, breaches: [] };
  return { error: where, breaches: [`${where} without an error message`] };
}

/** The events that API clients receive. They name the client's previous response, not the proxy's. */
function publicEvents(events: readonly string[], previous: string): string[] {
  return events
    .filter((event) => String(parseJson(event)?.type ?? '').startsWith('response.'))
    .map((event) => event.replace(/(?<="previous_response_id":)(?:null|"\w+")/, previous));
}

function excerpt(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
