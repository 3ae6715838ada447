import type { JSX } from 'preact';
import { routeLink } from './route.ts';
import { TurnChart } from './turn-chart.tsx';
import type {
  Mark,
  NoteOfSession,
  SessionData,
  SessionFinding,
  TurnData,
  TurnPart,
  WatchState,
} from './watch-model.ts';

/** The sessions, the one that was used last on top. */
export function WatchSessions({ state }: { readonly state: WatchState }) {
  const { listen, upstream, dropped } = state;
  const sessions = state.sessions.toReversed();
  const [newest] = sessions;
  const last = newest?.turns.at(-1);
  return (
    <main class="overview watch">
      <header class="summary">
        <h1>
          {listen} → {upstream}
        </h1>
      </header>
      {newest === undefined || last === undefined ? (
        <p class="headline">Waiting for the first request</p>
      ) : (
        <Answers session={newest} turn={last} />
      )}
      {sessions.map((session) => (
        <Session key={session.number} session={session} />
      ))}
      {dropped.sessions + dropped.turns + dropped.frames === 0 ? null : (
        <p class="quiet dropped">
          To keep the memory constant, older data were dropped: {droppedText(dropped)}.
        </p>
      )}
    </main>
  );
}

function droppedText({ sessions, turns, frames }: WatchState['dropped']): string {
  const counts: readonly (readonly [number, string])[] = [
    [sessions, 'sessions'],
    [turns, 'turns'],
    [frames, 'turns without frames'],
  ];
  return counts
    .filter(([count]) => count > 0)
    .map(([count, name]) => `${count.toLocaleString('en')} ${name}`)
    .join(', ');
}

type AnswersProps = { readonly session: SessionData; readonly turn: TurnData };

/** What people ask most, answered for the last turn. */
function Answers({ session, turn }: AnswersProps) {
  const find = (topic: TurnPart['topic']) => turn.parts.filter((one) => one.topic === topic);
  const fast = [...find('tier'), ...find('hint'), ...find('transport')];
  const cache = [...find('cache'), ...find('cache key')];
  const chain = [...find('chain'), ...find('ending')];
  const note = session.notes.at(-1);
  return (
    <dl class="answers">
      <Answer question="Is fast mode on?" parts={fast} short={fastText(fast)} />
      <Answer question="Does the prompt cache hit?" parts={cache} short={cacheText(turn, cache)} />
      <Answer question="Does the session go on?" parts={chain} short={sessionText(chain, note)} />
    </dl>
  );
}

type AnswerProps = {
  readonly question: string;
  readonly parts: readonly TurnPart[];
  readonly short: string;
};

function Answer({ question, parts, short }: AnswerProps) {
  const told = parts.find(({ mark }) => mark === 'wrong') ?? parts[0];
  return (
    <div class={`answer ${markClass(worstMark(parts))}`}>
      <dt>{question}</dt>
      <dd>
        <b>{short}</b>
        {told === undefined ? null : <span>{told.why}</span>}
      </dd>
    </div>
  );
}

function fastText(parts: readonly TurnPart[]): string {
  const [tier] = parts;
  if (parts.some(({ mark }) => mark === 'wrong')) return tier?.text === 'priority' ? 'asked for, but…' : 'no';
  return tier?.text === 'priority' ? 'yes' : `no: ${tier?.text ?? 'unknown'}`;
}

function cacheText({ tokens }: TurnData, parts: readonly TurnPart[]): string {
  if (tokens === undefined) return 'not known yet';
  const share = tokens.input === 0 ? 0 : Math.round((100 * tokens.cached) / tokens.input);
  return `${share}% of the input${parts.some(({ mark }) => mark === 'wrong') ? ', but…' : ''}`;
}

function sessionText(parts: readonly TurnPart[], note: NoteOfSession | undefined): string {
  if (parts.some(({ mark }) => mark === 'wrong')) return 'not as it should';
  return note?.mark === 'wrong' ? `yes, but ${note.text}` : 'yes';
}

function worstMark(parts: readonly { readonly mark: Mark }[]): Mark {
  return (['wrong', 'ok', 'note'] as const).find((mark) => parts.some((one) => one.mark === mark)) ?? 'none';
}

function Session({ session }: { readonly session: SessionData }) {
  const { number, id, client, turns, earlier } = session;
  // The newest is on top.
  const notes = session.notes.toReversed();
  return (
    <section class="session" aria-labelledby={`session-${number}`}>
      <div class="section-head">
        <h2 id={`session-${number}`}>
          Session {number} · {client}
        </h2>
        <span class="session-id">{id}</span>
        <Golden session={session} />
      </div>
      <Findings session={session} />
      <TurnChart turns={turns} />
      <div class="scroll">
        <table class="turns">
          <thead>
            <tr>
              <th>turn</th>
              <th>verdicts</th>
              <th class="number">first token</th>
            </tr>
          </thead>
          <tbody>
            {turns
              .toReversed()
              .flatMap((turn) => [
                ...notes
                  .filter(({ after }) => after === turn.id)
                  .map((note, at) => <Note key={`${turn.id} ${at}`} note={note} />),
                <Turn key={turn.id} turn={turn} />,
              ])}
            {notes
              .filter(({ after }) => !turns.some((turn) => turn.id === after))
              .map((note, at) => (
                <Note key={`first ${at}`} note={note} />
              ))}
          </tbody>
        </table>
      </div>
      {earlier === 0 ? null : <p class="quiet">{earlier.toLocaleString('en')} earlier turns are not kept</p>}
    </section>
  );
}

function Golden({ session: { golden } }: { readonly session: SessionData }) {
  const { type, text, turn, findings } = golden;
  if (type === 'pending')
    return <span class="golden quiet">the golden is compared after the first turn</span>;
  if (type === 'not compared') return <span class="golden quiet">not compared with a golden: {text}</span>;
  const number = findings.length === 1 ? '1 cause' : `${findings.length} causes`;
  return (
    <a
      class={type === 'parity' ? 'golden chip ok' : 'golden chip wrong'}
      href={turn === undefined ? '#/' : turnLink(turn)}
    >
      {type === 'parity' ? `follows the golden ${text} ✓` : `${number} beside the golden ${text} ✗`}
    </a>
  );
}

/** How many causes are shown before the list is opened. */
const fewCauses = 3;

/** The causes that a session has beside its golden, those of its start first. */
function Findings({ session: { golden } }: { readonly session: SessionData }) {
  const { findings } = golden;
  if (findings.length === 0) return null;
  const rest = findings.slice(fewCauses);
  return (
    <div class="session-causes">
      <CauseList findings={findings.slice(0, fewCauses)} />
      {rest.length === 0 ? null : (
        <details>
          <summary>{rest.length === 1 ? '1 more cause' : `${rest.length} more causes`}</summary>
          <CauseList findings={rest} />
        </details>
      )}
    </div>
  );
}

function CauseList({ findings }: { readonly findings: readonly SessionFinding[] }) {
  return (
    <ul>
      {findings.map(({ code, level, title, effect, turn }) => (
        <li key={`${code} ${title} ${turn?.id}`} class={`level ${level}`}>
          <span class="severity">{level}</span> <span>{title}</span> <span class="code">{code}</span>{' '}
          {turn === undefined ? null : <a href={turnLink(turn.id)}>from {turn.title} on</a>}{' '}
          <span class="effect">{effect}</span>
        </li>
      ))}
    </ul>
  );
}

function Note({ note: { text, mark } }: { readonly note: NoteOfSession }) {
  return (
    <tr class={`session-note ${markClass(mark)}`}>
      <td />
      <td colSpan={2}>{text}</td>
    </tr>
  );
}

function Turn({ turn }: { readonly turn: TurnData }) {
  const { id, title, model, parts, running, firstToken, duration } = turn;
  return (
    <tr class={running ? 'running' : ''}>
      <th scope="row">
        <a href={turnLink(id)}>{title}</a>
        <span class="quiet">{model}</span>
      </th>
      <td>
        <Chips parts={parts.filter(({ topic }) => topic !== 'time')} />
      </td>
      <td class="number">
        {firstToken === undefined ? '–' : milliseconds(firstToken)}
        <span class="quiet">{duration === undefined ? '' : ` of ${milliseconds(duration)}`}</span>
      </td>
    </tr>
  );
}

const signs: Readonly<Record<Mark, string>> = { ok: '✓', wrong: '✗', note: '', none: '' };

/** The class of a verdict; those without a mark have none. */
export function markClass(mark: Mark): string {
  return mark === 'ok' || mark === 'wrong' ? mark : '';
}

/** Verdicts, each with what stands behind it as its title. */
function Chips({ parts }: { readonly parts: readonly TurnPart[] }): JSX.Element {
  return (
    <ul class="chips">
      {parts.map(({ topic, text, mark, why }) => (
        <li key={topic + text} class={`chip ${markClass(mark)}`} title={why}>
          {text} {signs[mark]}
        </li>
      ))}
    </ul>
  );
}

export function turnLink(id: number): string {
  return routeLink({ page: 'conversation', conversation: `turn-${id}`, variant: 0 });
}

function milliseconds(time: number): string {
  return time < 10_000 ? `${Math.round(time)} ms` : `${(time / 1000).toFixed(1)} s`;
}
