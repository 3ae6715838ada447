import { ParityError } from '../../errors.ts';
import type { RequestEvent, TraceEvent } from '../../trace/trace-event.ts';
import { member } from '../../wire/json.ts';
import type { Golden, GoldenId } from '../golden.ts';
import { authorityMark, replaceHost } from '../pattern/authority.ts';
import type { Exchange, Step } from '../trace/exchanges.ts';
import { runsDisagree, transpose } from './columns.ts';
import { foldEvents } from './fold-events.ts';
import { sortByKey, unorderedPlaces } from './key-orders.ts';
import { learnLifetimes, threadIdOf } from './lifetimes.ts';
import { nameVariables } from './name-variables.ts';
import { VariableCollector } from './variables.ts';

/**
 * The least general pattern that all recordings match (anti-unification). What was equal in all stays literal, what
 * varied becomes a variable, values that agreed with each other in every recording become the same one. Throws
 * ParityError `runs-disagree`, naming the place, where recordings differ in more than values. `varied` names what
 * differed between them on purpose.
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
  const events = runs.flat().flatMap(({ request, steps }) => [request, ...steps]);
  const fold = new Fold(unorderedPlaces(events));
  const folded = transpose(runs, `${id.scenario}: the number of model requests`).map((exchanges, at) =>
    fold.exchange(exchanges, `${id.scenario}, exchange ${at + 1}`),
  );
  const variables = fold.holes.variables();
  const exchanges = folded.map((exchange) => nameVariables(exchange, variables));
  const bound = [...variables].flatMap(([token, variable]) => (fold.holes.isFree(token) ? [] : [variable]));
  const lifetimes = learnLifetimes(exchanges, bound);
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
 * Response headers that the client acts upon. The others (date, server, accept key, …) belong to whoever answered,
 * and a golden says what the client does.
 */
const responseHeadersKept: ReadonlySet<string> = new Set([
  'content-type',
  'sec-websocket-extensions',
  'x-codex-turn-state',
  'retry-after',
]);

/** Folds the exchanges of all runs, in their order. */
class Fold {
  readonly holes = new VariableCollector();
  readonly #unordered: ReadonlySet<string>;
  #event = 0;
  /** The threads of the exchanges so far. */
  readonly #threads = new Set<string>();
  /** The number of the event with which the last taking up of a thread is over. */
  #takenUp = 0;

  constructor(unordered: ReadonlySet<string>) {
    this.#unordered = unordered;
  }

  exchange(runs: readonly Exchange[], place: string): Exchange {
    const [first] = runs;
    if (first === undefined) throw new RangeError('nothing to fold');
    this.#begin(first);
    const request = this.#request(runs, place);
    const steps = transpose(
      runs.map(({ steps }) => steps),
      `${place}: the number of messages`,
    );
    const offers = runs.map(({ connection }) => JSON.stringify(connection.tls));
    if (offers.some((offer) => offer !== offers[0])) throw runsDisagree(place, ['ALPN'], 'differs');
    return {
      connection: { ...first.connection, authority: authorityMark },
      request,
      steps: steps.map((events, at) => this.#step(events, `${place}, step ${at + 1}`)),
      ...(first.end !== undefined && runs.every(({ end }) => end === first.end) ? { end: first.end } : {}),
    };
  }

  /** A client takes up a thread in an exchange that is not its first and begins with a prewarm, until that is sent. */
  #begin({ request, steps }: Exchange): void {
    const thread = threadIdOf(request);
    const said = steps.findIndex((step) => step.type !== 'response' && step.from === 'client');
    if (this.#threads.has(thread) && isPrewarm(steps[said])) this.#takenUp = this.#event + said + 2;
    if (thread !== '') this.#threads.add(thread);
  }

  #request(runs: readonly Exchange[], place: string): RequestEvent {
    const requests = runs.map(
      ({ connection, request }): RequestEvent => ({
        ...request,
        headers: replaceHost(request.headers, connection.authority, authorityMark),
      }),
    );
    const folded = this.#events(inOneOrder(requests), place);
    if (folded.type !== 'request') throw new RangeError('a request folded into something else');
    return folded;
  }

  #step(steps: readonly Step[], place: string): Step {
    const folded = this.#events(steps.map(withoutForeignHeaders), place);
    if (folded.type !== 'response' && folded.type !== 'body' && folded.type !== 'message') {
      throw new RangeError('a step folded into something else');
    }
    return folded;
  }

  #events(events: readonly TraceEvent[], place: string): TraceEvent {
    this.#event += 1;
    const [event, takesUp] = [this.#event, this.#event <= this.#takenUp];
    return foldEvents(events, { event, place, takesUp, holes: this.holes, unordered: this.#unordered });
  }
}

/** A request that only warms up, and is not answered with words. */
function isPrewarm(step: Step | undefined): boolean {
  const json = step?.type === 'message' && step.content.kind === 'json' ? step.content.json : undefined;
  const generate = member(json, 'generate');
  return generate?.kind === 'literal' && generate.value === false;
}

function withoutForeignHeaders(step: Step): Step {
  if (step.type !== 'response') return step;
  return { ...step, headers: step.headers.filter(([name]) => responseHeadersKept.has(name.toLowerCase())) };
}

/** Requests whose headers come in one order: where it varied they are sorted by name, and marked as unordered. */
function inOneOrder(requests: readonly RequestEvent[]): readonly RequestEvent[] {
  const orders = requests.map(({ headers }) => headers.map(([name]) => name).join('\n'));
  if (orders.every((order) => order === orders[0])) return requests;
  return requests.map((request) => ({ ...request, unordered: true, headers: sortByKey(request.headers) }));
}
