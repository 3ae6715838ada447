import { type JsonMember, type JsonNode, jsonString, tryParseJson } from '../wire/json.ts';
import { type AlignedLine, alignedHeaders, alignedLines, type LineContext } from './aligned-lines.ts';
import type { FrameData, MarkData, TrafficVariant, ViewData } from './model.ts';
import { Variables } from './pattern-text.ts';
import type { SharedReader } from './shared-reader.ts';

/** One row of a view. All rows have the same height, so that thousands of them can be shown. */
export type ViewRow =
  | {
      readonly kind: 'exchange';
      readonly row: number;
      readonly left?: string;
      readonly right?: string;
      readonly findings: readonly number[];
    }
  | {
      readonly kind: 'frame';
      readonly row: number;
      readonly left?: FrameData;
      readonly right?: FrameData;
      readonly isOpen: boolean;
      readonly findings: readonly number[];
    }
  | {
      readonly kind: 'line';
      readonly row: number;
      readonly line: AlignedLine;
      readonly findings: readonly number[];
    }
  /** Equal lines that are not shown. `from` is the index of the first among the lines of the frame. */
  | { readonly kind: 'fold'; readonly row: number; readonly from: number; readonly count: number };

/** What is open: frames by their row, and folds by row and line. */
export type OpenRows = { readonly frames: ReadonlySet<number>; readonly folds: ReadonlySet<string> };

/** At least so many equal lines are folded, except for those next to a difference. */
const shortestFold = 8;
const contextLines = 2;

/** Makes the rows of a view. Lines are made when their frame is opened. */
export class ViewRows {
  readonly view: ViewData;
  readonly variables: Variables;
  readonly #variant: TrafficVariant;
  readonly #texts: SharedReader;
  readonly #marks: ReadonlyMap<number, readonly MarkData[]>;
  readonly #lines = new Map<number, readonly AlignedLine[]>();
  readonly #differs = new Map<number, boolean>();

  constructor(variant: TrafficVariant, view: ViewData, texts: SharedReader) {
    this.view = view;
    this.#variant = variant;
    this.#texts = texts;
    this.variables = new Variables(variant.variables);
    this.#marks = Map.groupBy(view.marks, ({ row }) => row);
  }

  /** Whether the left side is a pattern. */
  isPattern(): boolean {
    return this.#variant.tracks[this.view.left]?.pattern ?? false;
  }

  /** The rows that findings mark, in order. */
  markedRows(): number[] {
    return [...this.#marks.keys()].sort((a, b) => a - b);
  }

  /** What is open at first: what findings mark. */
  initiallyOpen(): OpenRows {
    return { frames: new Set(this.markedRows()), folds: new Set() };
  }

  /** All rows, or only the frames that findings mark. */
  rows({ frames, folds }: OpenRows, onlyMarked: boolean): ViewRow[] {
    return this.view.rows.flatMap(([kind, left, right], row): ViewRow[] => {
      const marks = this.#marks.get(row) ?? [];
      const findings = [...new Set(marks.map(({ finding }) => finding))];
      if (kind === 'exchange') {
        const name = (track: number, index: number) => this.#variant.tracks[track]?.exchanges[index];
        return [{ kind, row, ...sides(name(this.view.left, left), name(this.view.right, right)), findings }];
      }
      if (onlyMarked && marks.length === 0) return [];
      const isOpen = frames.has(row);
      const both = sides(this.#frame(this.view.left, left), this.#frame(this.view.right, right));
      return [{ kind, row, ...both, isOpen, findings }, ...(isOpen ? this.#lineRows(row, marks, folds) : [])];
    });
  }

  #lineRows(row: number, marks: readonly MarkData[], folds: ReadonlySet<string>): ViewRow[] {
    const { left, right } = this.framesOf(row);
    // Of a frame that only one side has, each line shows what was found about the whole.
    const whole =
      left === undefined || right === undefined ? marks.filter(({ path }) => path.length === 0) : [];
    const lines = this.linesOf(row).map((line) => ({
      line,
      findings: [...new Set([...whole.map(({ finding }) => finding), ...findingsAt(line, marks)])],
    }));
    const isShown = lines.map(() => false);
    for (const [index, { line, findings }] of lines.entries()) {
      if (line.state === 'same' && line.moved === undefined && findings.length === 0) continue;
      const [from, to] = [
        Math.max(0, index - contextLines),
        Math.min(lines.length, index + contextLines + 1),
      ];
      isShown.fill(true, from, to);
    }
    // A frame without any difference is shown as a whole.
    const shows = isShown.includes(true) ? isShown : isShown.fill(true);
    const rows: ViewRow[] = [];
    for (let at = 0; at < lines.length; ) {
      let end = at;
      while (end < lines.length && shows[end] === shows[at]) end += 1;
      const isFolded = shows[at] === false && end - at >= shortestFold && !folds.has(`${row} ${at}`);
      if (isFolded) rows.push({ kind: 'fold', row, from: at, count: end - at });
      else for (const line of lines.slice(at, end)) rows.push({ kind: 'line', row, ...line });
      at = end;
    }
    return rows;
  }

  /** The lines of a frame: headers, then content. */
  linesOf(row: number): readonly AlignedLine[] {
    const known = this.#lines.get(row);
    if (known !== undefined) return known;
    const { left, right } = this.framesOf(row);
    const context = this.#context();
    const isText = left?.text !== undefined || right?.text !== undefined;
    const lines = [
      ...this.#lineOf(left, right, context),
      ...alignedHeaders(this.#headers(left), this.#headers(right), context),
      ...(isText
        ? alignedLines(this.#textOf(left), this.#textOf(right), context)
        : alignedLines(this.#json(left), this.#json(right), context)),
    ];
    this.#lines.set(row, lines);
    return lines;
  }

  #lineOf(left: FrameData | undefined, right: FrameData | undefined, context: LineContext): AlignedLine[] {
    const node = (frame: FrameData | undefined) =>
      frame?.line === undefined ? undefined : jsonString(frame.line);
    const name = firstLineNames[left?.kind ?? right?.kind ?? 'message'] ?? '';
    return alignedLines(node(left), node(right), context).map((line) => ({
      ...line,
      ...(line.left === undefined ? {} : { left: { text: left?.line ?? '', path: [name] } }),
      ...(line.right === undefined ? {} : { right: { text: right?.line ?? '', path: [name] } }),
    }));
  }

  /** Whether the two sides of a frame differ in anything. */
  differs(row: number): boolean {
    const known = this.#differs.get(row);
    if (known !== undefined) return known;
    const { left, right } = this.framesOf(row);
    const isPaired = left !== undefined && right !== undefined;
    const differs =
      !isPaired ||
      (!this.#hasSameText(left, right) &&
        this.linesOf(row).some(({ state, moved }) => state !== 'same' || moved !== undefined));
    this.#differs.set(row, differs);
    return differs;
  }

  /** Whether the texts of two messages are the same, which is known without reading them as JSON. */
  #hasSameText(left: FrameData, right: FrameData): boolean {
    const isHead = left.headers !== undefined || right.headers !== undefined || left.line !== right.line;
    const [before, after] = [
      this.#texts.text(left.json ?? left.text),
      this.#texts.text(right.json ?? right.text),
    ];
    return !isHead && before !== undefined && before === after;
  }

  framesOf(row: number): { readonly left?: FrameData; readonly right?: FrameData } {
    const [kind, left, right] = this.view.rows[row] ?? ['exchange', -1, -1];
    if (kind === 'exchange') return {};
    return sides(this.#frame(this.view.left, left), this.#frame(this.view.right, right));
  }

  #frame(track: number, index: number): FrameData | undefined {
    return index < 0 ? undefined : this.#variant.tracks[track]?.frames[index];
  }

  /** A frame as it was sent: the head of a request or response, or the text of a message. */
  rawText(frame: FrameData): string {
    const content = this.#texts.text(frame.json ?? frame.text) ?? '';
    if (frame.kind === 'event')
      return `${[...(frame.line === undefined ? [] : [frame.line]), `data: ${content}`].join('\n')}\n\n`;
    if (frame.line === undefined) return content;
    const headers = this.#headers(frame).map(([name, value]) => `${name}: ${headerText(value)}`);
    return `${[frame.line, ...headers].join('\r\n')}\r\n\r\n`;
  }

  #context(): LineContext {
    return { pattern: this.isPattern(), variables: this.variables };
  }

  #headers(frame: FrameData | undefined): JsonMember[] {
    return (frame?.headers ?? []).map(
      ([name, value]): JsonMember => [name, this.#parsed(value) ?? jsonString('')],
    );
  }

  #json(frame: FrameData | undefined): JsonNode | undefined {
    return frame?.json === undefined ? undefined : this.#parsed(frame.json);
  }

  #parsed(text: NonNullable<FrameData['json']>): JsonNode | undefined {
    return tryParseJson(this.#texts.text(text) ?? '', deepest)?.node;
  }

  #textOf(frame: FrameData | undefined): JsonNode | undefined {
    const text = this.#texts.text(frame?.text ?? frame?.json);
    return text === undefined ? undefined : jsonString(text);
  }
}

/** The most levels of the JSON that a page has, with documents in strings. */
const deepest = 300;

function headerText(value: JsonNode): string {
  return value.kind === 'string' ? value.value : JSON.stringify(value);
}

function sides<T>(left: T | undefined, right: T | undefined): { readonly left?: T; readonly right?: T } {
  return { ...(left === undefined ? {} : { left }), ...(right === undefined ? {} : { right }) };
}

/**
 * The findings of a line: those whose path is that of the line, or leads to it in what one side lacks. A line that moved
 * shows the order at the path above.
 */
function findingsAt({ left, right, state, moved }: AlignedLine, marks: readonly MarkData[]): number[] {
  const isAlone = state === 'left only' || state === 'right only';
  const own = marks.filter(({ path, order = false }) =>
    [left?.path, right?.path].some((at) => {
      if (at === undefined || !path.every((key, index) => isKey(key, at[index]))) return false;
      if (order) return moved !== undefined && at.length <= path.length + 1;
      return path.length > 0 && (isAlone ? at.length >= path.length : at.length === path.length);
    }),
  );
  return [...new Set(own.map(({ finding }) => finding))];
}

/** What places name the first line of a frame. */
const firstLineNames: Readonly<Partial<Record<FrameData['kind'], string>>> = {
  request: 'target',
  response: 'status',
  event: 'event',
};

/** The parts of a first line are one line. */
const firstLine: readonly (string | number | undefined)[] = ['method', 'target', 'HTTP version'];

function isKey(key: string | number, other: string | number | undefined): boolean {
  if (typeof key === 'number' || typeof other !== 'string') return key === other;
  return key.toLowerCase() === other.toLowerCase() || (other === 'target' && firstLine.includes(key));
}
