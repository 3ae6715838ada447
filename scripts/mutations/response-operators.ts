import { actedUpon } from '../../src/diff/neutrality/exchange.ts';
import type { Exchange, Step } from '../../src/golden/trace/exchanges.ts';
import type { ResponseEvent, ServerSentEvent } from '../../src/trace/trace-event.ts';
import { jsonString, sameJson } from '../../src/wire/json.ts';
import { usualLines } from '../../src/wire/sse.ts';
import {
  changed,
  itemMutants,
  type Mutant,
  memberMutants,
  mutant,
  type Operator,
  renamed,
  retyped,
  type Sent,
  stringMutants,
  swapped,
  valueMutants,
} from './request-operators.ts';
import { type Payload, payloadsOf, type Site, sites, withPayloads } from './sites.ts';

/** Every mutant of what the backend sends in an exchange, as a client behind a proxy would receive it. */
export function responseOperators(official: Exchange): readonly Operator[] {
  const sent = receivedIn(official);
  const operator = (name: string, mutants: readonly Mutant[]): Operator => ({
    area: 'responses',
    name,
    mutants,
  });
  return [
    operator(
      'drop a key of an event',
      memberMutants(inJson(sent), (all, at) => all.toSpliced(at, 1)),
    ),
    operator(
      'add a key to an event',
      memberMutants(inJson(sent), (all, at) => all.toSpliced(at, 0, ['added', jsonString('1')]), 'added'),
    ),
    operator(
      'rename a key of an event',
      memberMutants(
        inJson(sent),
        renamed((name) => `${name}x`),
      ),
    ),
    operator(
      'change a value of an event',
      valueMutants(inJson(sent), ({ node }) => changed(node)),
    ),
    operator(
      'change the type of a value of an event',
      inJson(sent)
        .places.filter(({ names }) => names.length > 0)
        .map((site) => mutant(site, retyped(site.node))),
    ),
    operator('escape a string of an event', stringMutants(inJson(sent))),
    operator(
      'drop an item of an event',
      itemMutants(inJson(sent), (items, at) => items.toSpliced(at, 1)),
    ),
    operator('swap two items of an event', itemMutants(inJson(sent), swapped)),
    operator(
      'drop a header that clients act upon',
      headerMutants(sent, (all, at) => all.toSpliced(at, 1)),
    ),
    operator(
      'change a header that clients act upon',
      headerMutants(sent, (all, at) =>
        all.map((header, other) => (other === at ? [header[0], jsonString('x')] : header)),
      ),
    ),
    operator('change the status', statusMutants(official)),
    operator(
      'drop an event',
      unitMutants(official, (units, at) => units.toSpliced(at, 1)),
    ),
    operator(
      'send an event twice',
      unitMutants(official, (units, at) => units.toSpliced(at, 0, ...units.slice(at, at + 1))),
    ),
    operator('swap two events', unitMutants(official, swapped)),
    ...streamOperators(official),
    operator(
      'break off the response',
      endMutants(official, (one) =>
        one.type === 'body' && one.complete ? [{ ...one, complete: false }] : [one],
      ),
    ),
    operator(
      'change a close code',
      endMutants(official, (one) =>
        one.content.kind === 'close' ? [{ ...one, content: { ...one.content, code: 4000 } }] : [one],
      ),
    ),
  ];
}

function receivedIn(official: Exchange): Sent {
  const places = sites(official, 'backend');
  return {
    official,
    places,
    leaves: places.filter(({ node }) => node.kind !== 'array' && node.kind !== 'object'),
    opened: new Set(),
    varies: () => false,
    elsewhere: new Set(),
    free: new Set(),
  };
}

/** Without headers. */
function inJson(sent: Sent): Sent {
  const keep = (site: Site) => site.inJson;
  return { ...sent, places: sent.places.filter(keep), leaves: sent.leaves.filter(keep) };
}

type Headers = ResponseEvent['headers'];

function headerMutants({ official }: Sent, change: (headers: Headers, at: number) => Headers): Mutant[] {
  const head = official.steps.find((step) => step.type === 'response');
  if (head === undefined) return [];
  return head.headers.flatMap(([name], at) =>
    actedUpon.test(name.toLowerCase())
      ? [
          {
            places: [{ part: 'response', names: [name.toLowerCase()] }],
            mutate: () => withHead(official, { ...head, headers: change(head.headers, at) }),
          },
        ]
      : [],
  );
}

function statusMutants(official: Exchange): Mutant[] {
  const head = official.steps.find((step) => step.type === 'response');
  if (head === undefined) return [];
  return [200, 400, 502]
    .filter((status) => status !== head.status)
    .map((status) => ({
      places: [{ part: 'response', names: ['status'] }],
      mutate: () => withHead(official, { ...head, status }),
    }));
}

function withHead(exchange: Exchange, head: ResponseEvent): Exchange {
  return {
    ...exchange,
    steps: exchange.steps.map((step): Step => (step.type === 'response' ? head : step)),
  };
}

/** One mutant for each message of the backend, and for each event of a stream, unless the change is none. */
function unitMutants(
  official: Exchange,
  change: <T>(units: readonly T[], at: number) => readonly T[],
): Mutant[] {
  const payloads = payloadsOf(official, 'backend');
  const messages = payloads.filter(({ content }) => content.kind === 'json');
  const places = (at: number) =>
    [at, at + 1, at + 2].map((number) => ({ part: `backend message ${number}`, names: [] }));
  const whole = messages.flatMap((message, index): Mutant[] => {
    if (message.type !== 'message') return [];
    const next = change(messages, index);
    if (next.every((one, at) => sameContent(one, messages[at]))) return [];
    return [{ places: places(index + 1), mutate: () => ordered(official, messages, next) }];
  });
  const inStreams = payloads.flatMap((payload) => {
    const { content } = payload;
    if (content.kind !== 'events') return [];
    return content.events.flatMap((event, index): Mutant[] => {
      const events = change(content.events, index);
      const next = content.events[index + 1];
      if (events.length === content.events.length && next !== undefined && sameJson(event.data, next.data))
        return [];
      if (events.length === content.events.length && next === undefined) return [];
      return [
        {
          places: places(index + 1),
          mutate: () =>
            withPayloads(official, 'backend', (step) => [
              step === payload ? { ...step, content: { ...content, events } } : step,
            ]),
        },
      ];
    });
  });
  return [...whole, ...inStreams];
}

/** Operators on how server-sent events are written. */
function streamOperators(official: Exchange): readonly Operator[] {
  const operator = (
    name: string,
    part: (number: number) => string,
    change: (event: ServerSentEvent, isLast: boolean) => ServerSentEvent,
  ): Operator => ({
    area: 'responses',
    name,
    mutants: payloadsOf(official, 'backend').flatMap((payload) => {
      const { content } = payload;
      if (content.kind !== 'events') return [];
      return content.events.flatMap((event, index): Mutant[] => {
        const isLast = index === content.events.length - 1;
        const changed = change(event, isLast);
        if (changed === event) return [];
        const events = content.events.with(index, changed);
        return [
          {
            places: [{ part: part(index + 1), names: [] }],
            mutate: () =>
              withPayloads(official, 'backend', (step) => [
                step === payload ? { ...step, content: { ...content, events } } : step,
              ]),
          },
        ];
      });
    }),
  });
  const message = (number: number) => `backend message ${number}`;
  return [
    operator('write the data of an event with spaces', message, (event) => ({ ...event, spaced: true })),
    operator('add an id to an event', message, (event) => ({
      ...event,
      form: { lines: [...usualLines(event.event), 'id'], ends: 'LF' },
    })),
    operator('end the lines of an event with CRLF', message, (event) => ({
      ...event,
      form: { lines: usualLines(event.event), ends: 'CRLF' },
    })),
    operator('rename a server-sent event', message, (event) => ({ ...event, event: `${event.event}x` })),
    operator('end a stream without its last empty line', message, (event, isLast) =>
      isLast ? { ...event, unfinished: true } : event,
    ),
  ];
}

function sameContent(a: Payload | undefined, b: Payload | undefined): boolean {
  if (a?.content.kind !== 'json' || b?.content.kind !== 'json') return a === b;
  return sameJson(a.content.json, b.content.json);
}

/** The exchange with its JSON messages of the backend replaced by a list, from the first of them on. */
function ordered(exchange: Exchange, before: readonly Payload[], after: readonly Payload[]): Exchange {
  const left = [...after];
  return withPayloads(exchange, 'backend', (step) => {
    const at = before.indexOf(step);
    if (at === -1) return [step];
    return at === before.length - 1 ? left.splice(0) : left.splice(0, 1);
  });
}

function endMutants(official: Exchange, change: (payload: Payload) => readonly Payload[]): Mutant[] {
  const changes = payloadsOf(official, 'backend').some((payload) => change(payload)[0] !== payload);
  if (!changes) return [];
  return [
    {
      places: [{ part: 'ending', names: [] }],
      mutate: () => ({ ...withPayloads(official, 'backend', change), end: 'backend' }),
    },
  ];
}
