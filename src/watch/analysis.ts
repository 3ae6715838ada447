import type { Finding } from '../diff/finding.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { BoundedMap } from './bounded-map.ts';
import type { GoldenChoice } from './golden-choice.ts';
import type { JudgedTurn, SeenSession, SessionNote } from './judged-turn.ts';
import { formOf, idsOf, inPlaceOfFirst, isTurnRequest, laterFindings } from './later-turn.ts';
import { type GoldenVerdict, SessionStart } from './session-start.ts';
import { FrameRing, type TurnFrames } from './turn-frames.ts';
import { TurnReader, type WatchUpdate } from './turn-reader.ts';

/** What is known of a session: its newest turns and notes, and how it compares with a golden. */
export type WatchedSession = {
  readonly session: SeenSession;
  readonly golden: GoldenVerdict;
  /** The id of its first turn, whose frames the golden is compared with. */
  readonly firstTurn: number | undefined;
  /** What later turns have beside the golden, and no turn before them had. */
  readonly later: readonly LaterFindings[];
  readonly turns: readonly JudgedTurn[];
  /** How many earlier turns are not kept. */
  readonly earlier: number;
  readonly notes: readonly WatchedNote[];
};

/** What a turn has beside the golden of its session, and no turn before it had. */
export type LaterFindings = {
  readonly turn: JudgedTurn;
  readonly findings: readonly Finding[];
};

/** `after` is the id of the last turn before it, 0 if there was none. */
type WatchedNote = { readonly note: SessionNote; readonly after: number };

/** What changed with an event, in order. */
export type AnalysisUpdate =
  | {
      readonly type: 'turn';
      readonly session: SeenSession;
      readonly turn: JudgedTurn;
      readonly isOver: boolean;
    }
  | { readonly type: 'note'; readonly session: SeenSession; readonly note: SessionNote }
  | {
      readonly type: 'golden';
      readonly session: SeenSession;
      readonly golden: GoldenVerdict;
      /** If a later turn differs from it. */
      readonly later?: LaterFindings;
    };

/** What is kept at most. */
export const mostKept = { sessions: 32, turns: 200, notes: 50, later: 20 };

type SessionRecord = {
  readonly session: SeenSession;
  readonly start: SessionStart;
  golden: GoldenVerdict;
  firstTurn: number | undefined;
  /** The last turn that was compared with the golden, and the form of its request. */
  compared: { readonly turn: number; readonly form: string };
  /** The ids and times in its start. */
  ids: readonly string[];
  readonly later: LaterFindings[];
  readonly turns: Map<number, JudgedTurn>;
  earlier: number;
  readonly notes: WatchedNote[];
};

/**
 * Reads the events of a trace, live or recorded, and keeps what a reader wants to see of them: sessions, turns with their
 * verdicts, findings against the golden, and frames. Its memory is bounded; what it drops, it counts.
 */
export class Analysis {
  readonly #reader = new TurnReader();
  readonly #frames = new FrameRing();
  readonly #goldens: GoldenChoice;
  readonly #sessions = new BoundedMap<number, SessionRecord>(mostKept.sessions);
  /** Events of exchanges whose session is not known yet. */
  readonly #early = new Map<number, TraceEvent[]>();
  readonly #connections = new Map<number, TraceEvent>();
  /** The ends of turns that were passed on, by the id of the turn and the number of its requests. */
  readonly #over = new BoundedMap<number, number>(mostKept.turns);
  #droppedTurns = 0;

  constructor(goldens: GoldenChoice) {
    this.#goldens = goldens;
  }

  /** `at` is when the event was seen, in milliseconds. */
  add(untimed: TraceEvent, at?: number): AnalysisUpdate[] {
    const event = timed(untimed, at);
    const isOpen = 'exchange' in event && this.#reader.isOpen(event.exchange);
    const { updates, turn, session, agent } = this.#reader.add(event, at);
    for (const update of updates) if (update.type === 'session') this.#record(update.session);
    if (!('exchange' in event)) this.#frames.add(event);
    else if (isOpen || this.#reader.isOpen(event.exchange)) {
      this.#frames.add(event, turn, () => this.#turnBefore(turn, session, agent));
      this.#collect(event, session, agent);
      if (!this.#reader.isOpen(event.exchange)) {
        this.#frames.forget(event.exchange);
        this.#early.delete(event.exchange);
      }
    }
    if (event.type === 'connection') this.#connections.set(event.connection, event);
    if (event.type === 'end') {
      for (const { golden, start } of this.#sessions.values())
        if (golden.type === 'pending') start.add(event);
      this.#forgetConnection(event.connection);
    }
    return this.#take(updates);
  }

  /** The first delta of a response over HTTP arrived, whose body is an event only when it is over. */
  firstDelta(exchange: number, at: number): AnalysisUpdate[] {
    return this.#take(this.#reader.firstDelta(exchange, at));
  }

  /** The analysis left out what follows on a connection. */
  skip(connection: number): AnalysisUpdate[] {
    this.#forgetConnection(connection);
    this.#frames.add({ type: 'end', connection, by: 'client' });
    return this.#take(this.#reader.skip(connection));
  }

  /** Nothing follows: turns that have not ended count as over, and sessions without a whole turn are not compared. */
  finish(): AnalysisUpdate[] {
    return [...this.#sessions.values()].flatMap((record): AnalysisUpdate[] => {
      const { session, turns, golden } = record;
      const open = [...turns.values()].filter(
        ({ ending }) => ending.type === 'running' || ending.type === 'tools',
      );
      const updates = open.map((turn): AnalysisUpdate => ({ type: 'turn', session, turn, isOver: true }));
      if (golden.type !== 'pending') return updates;
      record.golden = { type: 'not compared', reason: 'its first turn has no whole response' };
      return [...updates, { type: 'golden', session, golden: record.golden }];
    });
  }

  /** The sessions, from the one that was used longest ago. */
  sessions(): WatchedSession[] {
    return [...this.#sessions.values()].map(watched);
  }

  session(number: number): WatchedSession | undefined {
    const record = this.#sessions.get(number);
    return record === undefined ? undefined : watched(record);
  }

  framesOf(turn: number): TurnFrames | undefined {
    return this.#frames.framesOf(turn);
  }

  get dropped(): { readonly sessions: number; readonly turns: number; readonly frames: number } {
    return { sessions: this.#sessions.dropped, turns: this.#droppedTurns, frames: this.#frames.dropped };
  }

  #take(updates: readonly WatchUpdate[]): AnalysisUpdate[] {
    return updates.flatMap((update): AnalysisUpdate[] => {
      if (update.type === 'turn') return this.#takeTurn(update.turn);
      return update.type === 'note' ? this.#takeNote(update.session, update.note) : [];
    });
  }

  #takeNote(number: number, note: SessionNote): AnalysisUpdate[] {
    const record = this.#sessions.get(number);
    if (record === undefined) return [];
    const { session, notes, turns } = record;
    notes.push({ note, after: [...turns.keys()].at(-1) ?? 0 });
    if (notes.length > mostKept.notes) notes.shift();
    return [{ type: 'note', session, note }];
  }

  #takeTurn(turn: JudgedTurn): AnalysisUpdate[] {
    const record = this.#sessions.get(turn.session);
    if (record === undefined) return [];
    if (turn.agent === '') record.firstTurn ??= turn.id;
    record.turns.set(turn.id, turn);
    if (record.turns.size > mostKept.turns) {
      const [oldest] = record.turns.keys();
      if (oldest !== undefined) record.turns.delete(oldest);
      record.earlier += 1;
      this.#droppedTurns += 1;
    }
    const { session } = record;
    const isOver = this.#isOver(turn);
    const update: AnalysisUpdate = { type: 'turn', session, turn, isOver };
    const hasResponse = turn.ending.type === 'completed' || turn.ending.type === 'tools';
    if (turn.agent !== '' || !hasResponse) return [update];
    if (record.golden.type !== 'pending') return [update, ...this.#compareLater(record, turn)];
    record.golden = record.start.compare(this.#goldens);
    record.compared = { turn: turn.id, form: '' };
    if (record.golden.type === 'compared') record.ids = idsOf(record.golden.exchanges());
    return [update, { type: 'golden', session, golden: record.golden }];
  }

  /** Compares a turn after the first one with the golden of its session, once. */
  #compareLater(record: SessionRecord, turn: JudgedTurn): AnalysisUpdate[] {
    const { golden, session, compared } = record;
    if (golden.type !== 'compared' || turn.id <= compared.turn) return [];
    const request = this.#frames.find(turn.id, isTurnRequest);
    if (request === undefined) return [];
    record.compared = { turn: turn.id, form: formOf(request, record.ids) };
    if (record.compared.form === compared.form) return [];
    const exchanges = inPlaceOfFirst(golden.exchanges(), request);
    if (exchanges === undefined) return [];
    const known = [...golden.findings, ...record.later.flatMap(({ findings }) => findings)];
    const findings = laterFindings(golden, exchanges, known);
    if (findings.length === 0 || record.later.length >= mostKept.later) return [];
    const later = { turn, findings };
    record.later.push(later);
    return [{ type: 'golden', session, golden, later }];
  }

  /** What is compared of a turn with the golden of its session; undefined if it is not compared. */
  comparedExchanges({ golden, firstTurn }: WatchedSession, turn: number): readonly Exchange[] | undefined {
    if (golden.type !== 'compared') return undefined;
    if (turn === firstTurn) return golden.exchanges();
    const request = this.#frames.find(turn, isTurnRequest);
    return request === undefined ? undefined : inPlaceOfFirst(golden.exchanges(), request);
  }

  /** Whether the turn has just ended: each attempt of it ends once. */
  #isOver({ id, requests, ending }: JudgedTurn): boolean {
    if (ending.type === 'running' || ending.type === 'tools') return false;
    if (this.#over.get(id) === requests) return false;
    this.#over.set(id, requests);
    return true;
  }

  #record(session: SeenSession): void {
    this.#sessions.set(session.number, {
      ...{ session, start: new SessionStart(), golden: { type: 'pending' }, firstTurn: undefined },
      ...{ compared: { turn: 0, form: '' }, ids: [], later: [], turns: new Map(), earlier: 0, notes: [] },
    });
  }

  /** Collects the start of sessions. The thread of an agent has its own start, which is not compared. */
  #collect(
    event: Extract<TraceEvent, { exchange: number }>,
    session: number | undefined,
    agent: string | undefined,
  ): void {
    const record = session === undefined ? undefined : this.#sessions.get(session);
    const early = this.#early.get(event.exchange);
    if (session === undefined) {
      const connection = event.type === 'request' ? this.#connections.get(event.connection) : undefined;
      const list = early ?? (connection === undefined ? [] : [connection]);
      if (event.type === 'request' || early !== undefined) this.#early.set(event.exchange, list);
      if (list.length < mostEarly) list.push(event);
      return;
    }
    this.#early.delete(event.exchange);
    if (record?.golden.type !== 'pending' || agent !== '') return;
    for (const one of [...(early ?? []), event]) record.start.add(one);
  }

  #forgetConnection(connection: number): void {
    this.#connections.delete(connection);
    for (const [exchange, events] of this.#early)
      if (events.some((event) => event.type === 'request' && event.connection === connection))
        this.#early.delete(exchange);
  }

  /** The last turn of the same thread before a turn, if it is kept. */
  #turnBefore(turn = 0, session: number | undefined, agent: string | undefined): number | undefined {
    const record = session === undefined ? undefined : this.#sessions.get(session);
    return [...(record?.turns.values() ?? [])].findLast((one) => one.id < turn && one.agent === agent)?.id;
  }
}

function timed(event: TraceEvent, at: number | undefined): TraceEvent {
  return at === undefined || !('exchange' in event) ? event : { ...event, at };
}

/** The most events that wait for their session. */
const mostEarly = 20;

function watched(record: SessionRecord): WatchedSession {
  const { session, golden, firstTurn, later, turns, earlier, notes } = record;
  return {
    ...{ session, golden, firstTurn, earlier },
    ...{ later: [...later], turns: [...turns.values()], notes: [...notes] },
  };
}
