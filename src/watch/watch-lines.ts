import { count } from '../report/count.ts';
import { terminalLine } from '../report/escape.ts';
import type { Screen } from '../report/first-screen.ts';
import type { Mark, SessionFinding, TurnPart } from '../ui/watch-model.ts';
import type { AnalysisUpdate } from './analysis.ts';
import type { JudgedTurn, SeenSession } from './judged-turn.ts';
import { noteWords, turnParts, turnTitle } from './turn-words.ts';
import { clientText, goldenData, goldenName, laterData } from './watch-data.ts';

const marks: Readonly<Record<Mark, { readonly text: string; readonly colour?: 'green' | 'red' | 'yellow' }>> =
  {
    ok: { text: ' ✓', colour: 'green' },
    wrong: { text: ' ✗', colour: 'red' },
    note: { text: '' },
    none: { text: '' },
  };

/** How many causes a live view prints. */
const fewCauses = 8;

/** The lines of a live view: one for each turn, and one for each other thing that happens to a session. */
export class WatchLines {
  readonly #screen: Screen;
  readonly #explains: boolean;
  #session: number | undefined;

  /** `explains` adds the reason for each verdict that is wrong. */
  constructor(screen: Screen, { explains = false }: { readonly explains?: boolean } = {}) {
    this.#screen = screen;
    this.#explains = explains;
  }

  linesOf(update: AnalysisUpdate): string[] {
    switch (update.type) {
      case 'turn':
        return update.isOver
          ? [...this.#heading(update.session), this.turnLine(update.turn), ...this.#reasons(update.turn)]
          : [];
      case 'note': {
        const { text, mark } = noteWords(update.note);
        return [...this.#heading(update.session), `  ${this.#marked(text, mark)}`];
      }
      case 'golden':
        return [...this.#heading(update.session), ...this.#goldenLines(update)];
    }
  }

  /** `turn 2 · priority ✓ hint ✓ · cache key = session ✓ · chained ✓ · cached 17.2k of 18.0k ✓ · first token 410 ms` */
  turnLine(turn: JudgedTurn): string {
    return [turnTitle(turn), ...joined(turnParts(turn)).map((parts) => this.#parts(parts))].join(' · ');
  }

  #reasons(turn: JudgedTurn): string[] {
    if (!this.#explains) return [];
    return turnParts(turn)
      .filter(({ mark }) => mark === 'wrong')
      .map(
        ({ text, why, fix }) =>
          `    ${terminalLine([`${text}: ${why}`, ...(fix === undefined ? [] : [fix])].join(' '))}`,
      );
  }

  #parts(parts: readonly TurnPart[]): string {
    return parts.map(({ text, mark }) => this.#marked(text, mark)).join(' ');
  }

  #marked(text: string, mark: Mark): string {
    const { text: sign, colour } = marks[mark];
    const line = `${terminalLine(text)}${sign}`;
    return colour === undefined ? line : this.#screen.paint(colour, line);
  }

  /** Names the session where it is another one than that of the last line. */
  #heading(session: SeenSession): string[] {
    if (this.#session === session.number) return [];
    this.#session = session.number;
    const id = session.id === undefined ? '' : ` · ${session.id}`;
    return [
      this.#screen.paint('bold', terminalLine(`session ${session.number} · ${clientText(session)}${id}`)),
    ];
  }

  #goldenLines({ golden, later }: Extract<AnalysisUpdate, { type: 'golden' }>): string[] {
    if (later !== undefined && golden.type === 'compared') {
      const title = `${goldenName(golden.golden)} in ${turnTitle(later.turn)}`;
      return this.#causeLines(title, laterData(golden.golden, later));
    }
    const { type, text, findings } = goldenData(golden);
    switch (type) {
      case 'pending':
        return [];
      case 'not compared':
        return [`  not compared with a golden: ${terminalLine(text)}`];
      case 'parity':
        return [`  ${this.#marked(`follows the golden ${text}`, 'ok')}`];
      case 'findings':
        return this.#causeLines(text, findings);
    }
  }

  #causeLines(golden: string, findings: readonly SessionFinding[]): string[] {
    return [
      `  ${this.#marked(`${count(findings.length, 'cause')} beside the golden ${golden}`, 'wrong')}`,
      ...findings.slice(0, this.#explains ? undefined : fewCauses).map(({ code, title, effect }) => {
        const effectText = this.#explains && effect !== null ? ` (${effect})` : '';
        return `    ${terminalLine(`${code}  ${title}${effectText}`)}`;
      }),
      ...(this.#explains || findings.length <= fewCauses
        ? []
        : [`    and ${findings.length - fewCauses} more, on the page`]),
    ];
  }
}

/** The parts of a line. Tier and hint are one. */
function joined(parts: readonly TurnPart[]): TurnPart[][] {
  const groups: TurnPart[][] = [];
  for (const part of parts) {
    const last = groups.at(-1);
    if (part.topic === 'hint' && last !== undefined) last.push(part);
    else groups.push([part]);
  }
  return groups;
}
