import { ParityError } from '../../errors.ts';
import type { ConnectionEvent, HeaderField, RequestEvent, TraceEvent } from '../../trace/trace-event.ts';
import { member } from '../../wire/json.ts';
import type { Golden, GoldenId } from '../golden.ts';
import { authorityMark, replaceHost } from '../pattern/authority.ts';
import type { Exchange, Step } from '../trace/exchanges.ts';
import { threadIdOf } from '../trace/threads.ts';
import { allEqual, runsDisagree, transpose } from './columns.ts';
import { type FoldContext, foldEvents } from './fold-events.ts';
import { placesIn, sortByKey, type UnorderedPlaces, unorderedPlaces } from './key-orders.ts';
import { learnLifetimes } from './lifetimes.ts';
import { nameVariables } from './name-variables.ts';
import { VariableCollector } from './variables.ts';

/**
 * The least general pattern that all recordings match (anti-unification). What is equal in all of them stays literal,
 * what differs becomes a variable, and values that are equal to each other in every recording become the same variable.
 * `varied` names what was made to differ between the recordings. Throws ParityError `runs-disagree`, with the place, if
 * recordings differ in more than values.
 */
export function generalise(
  id: GoldenId,
  runs: readonly (readonly Exchange[])[],
  varied: readonly string[] = [],
): Golden {
  const [first] = runs;
  if (first === undefined || first.length === 0) {
    throw new ParityError('runs-disagree', `${id.scenario}: the client sent no model request`);
  }
  const collector = new VariableCollector();
  const fold = new ExchangeFold(collector, unorderedPlaces(runs.flat()));
  const folded = transpose(runs, `${id.scenario}: the number of model requests`).map((exchanges, index) =>
    fold.exchange(exchanges, `${id.scenario}, exchange ${index + 1}`),
  );
  const variables = collector.variables();
  const exchanges = folded.map((exchange) => nameVariables(exchange, variables));
  const notRaced = [...variables].flatMap(([token, variable]) =>
    collector.isRaced(token) ? [] : [variable],
  );
  const lifetimes = learnLifetimes(exchanges, notRaced);
  return {
    ...id,
    runs: runs.length,
    varied,
    variables: new Map(
      [...variables.values()].map((variable) => [
        variable.name,
        { ...variable, lifetime: lifetimes.get(variable.name) },
      ]),
    ),
    exchanges,
  };
}

/**
 * Response headers that change what the client does. A golden describes the client; all other headers (date, server,
 * accept key) describe the server that responded.
 */
const keptResponseHeaders: ReadonlySet<string> = new Set([
  'content-type',
  'sec-websocket-extensions',
  'x-codex-turn-state',
  'retry-after',
]);

/** Folds the exchanges of all runs, in their order. */
class ExchangeFold {
  readonly #variables: VariableCollector;
  readonly #unordered: UnorderedPlaces;
  #event = 0;
  /** The threads of which the client has sent a message so far. */
  readonly #threads = new Set<string>();
  /** The index of the last event in which a thread is being resumed. */
  #resumedAt = 0;

  constructor(variables: VariableCollector, unordered: UnorderedPlaces) {
    this.#variables = variables;
    this.#unordered = unordered;
  }

  exchange(runs: readonly Exchange[], location: string): Exchange {
    const [first] = runs;
    if (first === undefined) throw new RangeError('nothing to fold');
    this.#noteResume(first);
    const requests = withSameHeaderOrder(runs.map(requestOnAnyHost));
    const request = foldEvents(requests, this.#nextEvent(location, first.request, first.request));
    const steps = transpose(
      runs.map(({ steps }) => steps),
      `${location}: the number of messages`,
    ).map((events, index) => {
      const context = this.#nextEvent(`${location}, step ${index + 1}`, first.request, events[0]);
      return foldEvents(withSameFrames(events.map(withKeptHeaders)), context);
    });
    const connections = runs.map(({ connection }) => withoutHello(connection));
    if (!allEqual(connections.map(({ tls }) => JSON.stringify(tls))))
      throw runsDisagree(location, ['ALPN'], 'differs between recordings');
    return {
      connection: { ...withoutHello(first.connection), authority: authorityMark },
      request,
      steps,
      ...(first.end !== undefined && allEqual(runs.map(({ end }) => end)) ? { end: first.end } : {}),
    };
  }

  /**
   * An exchange resumes its thread if the client sent a message of the thread before, and begins with a prewarm. The
   * prewarm ends that. After a refused upgrade there is no history to read.
   */
  #noteResume({ request, steps }: Exchange): void {
    const thread = threadIdOf(request);
    if (thread === undefined) return;
    const message = steps.findIndex((step) => step.type !== 'response' && step.from === 'client');
    if (this.#threads.has(thread) && isPrewarm(steps[message])) this.#resumedAt = this.#event + message + 2;
    if (message !== -1) this.#threads.add(thread);
  }

  /** `event` is that of the first run. */
  #nextEvent(location: string, request: RequestEvent, event: TraceEvent = request): FoldContext {
    this.#event += 1;
    const placeOf = placesIn(request, event);
    return {
      event: this.#event,
      location,
      resuming: this.#event <= this.#resumedAt,
      variables: this.#variables,
      isUnordered: (path) => this.#unordered.has(placeOf(path)),
    };
  }
}

/** A version has one ClientHello for all its goldens (client-hello.ts). */
function withoutHello(connection: ConnectionEvent): ConnectionEvent {
  if (!connection.tls) return connection;
  const { offered, chosen } = connection.tls;
  return { ...connection, tls: { offered, chosen } };
}

function isPrewarm(step: Step | undefined): boolean {
  const json = step?.type === 'message' && step.content.kind === 'json' ? step.content.json : undefined;
  const generate = member(json, 'generate');
  return generate?.kind === 'literal' && generate.value === false;
}

function requestOnAnyHost({ connection, request }: Exchange): RequestEvent {
  const { http2 } = request;
  const onAnyHost = (headers: readonly HeaderField[]) =>
    replaceHost(headers, [connection.authority], authorityMark);
  const [authority] = http2?.authority === undefined ? [] : onAnyHost([[':authority', http2.authority]]);
  return {
    ...request,
    ...(http2 && { http2: { ...http2, ...(authority && { authority: authority[1] }) } }),
    headers: onAnyHost(request.headers),
  };
}

function withKeptHeaders(step: Step): Step {
  if (step.type !== 'response') return step;
  return { ...step, headers: step.headers.filter(([name]) => keptResponseHeaders.has(name.toLowerCase())) };
}

/**
 * How a body is split into frames, if that is the same in all runs: whether it is longer than one frame depends on texts of the
 * host. Trailers of the backend describe the backend.
 */
function withSameFrames(steps: readonly Step[]): readonly Step[] {
  const frames = steps.map((step) => (step.type === 'body' ? `${step.largestFrame} ${step.endsEmpty}` : ''));
  return steps.map((step) => {
    if (step.type !== 'body') return step;
    const { largestFrame, endsEmpty, trailers, ...body } = step;
    return {
      ...body,
      ...(allEqual(frames) && largestFrame !== undefined ? { largestFrame } : {}),
      ...(allEqual(frames) && endsEmpty ? { endsEmpty } : {}),
      ...(step.from === 'client' && trailers ? { trailers } : {}),
    };
  });
}

/** If the order of headers differs, they are sorted by name and marked as unordered. */
function withSameHeaderOrder(requests: readonly RequestEvent[]): readonly RequestEvent[] {
  if (allEqual(requests.map(({ headers }) => headers.map(([name]) => name).join('\n')))) return requests;
  return requests.map((request) => ({ ...request, unordered: true, headers: sortByKey(request.headers) }));
}
