import { useContext } from 'preact/hooks';
import type { LineText } from './aligned-lines.ts';
import { HotVariableContext } from './hot-variable.ts';
import type { TextPiece, Variables } from './pattern-text.ts';
import { visible } from './visible.ts';

/** Longer texts are cut in a row; the inspector has all of them. */
const longestText = 400;
/** How much of a long text is shown before its first difference. */
const leadingText = 24;

type LineTextViewProps = {
  readonly line: LineText;
  /** The other side, if it differs. */
  readonly other: LineText | undefined;
  /** The position among the names of its side, if that is another one. */
  readonly position: number | undefined;
  readonly pattern: boolean;
  readonly variables: Variables;
};

/** One side of a line: its name, and its value with the variables in it. What differs from the other side is marked. */
export function LineTextView({ line, other, position, pattern, variables }: LineTextViewProps) {
  const { name, text } = line;
  const isRenamed = other?.name !== undefined && other.name !== name;
  return (
    <>
      {position === undefined ? null : <span class="position">{position}.</span>}
      {name === undefined ? null : (
        <span class="name">{isRenamed ? <mark>{visible(name)}</mark> : visible(name)}: </span>
      )}
      <ValueText text={text} other={other?.text} pattern={pattern} variables={variables} short />
    </>
  );
}

type ValueTextProps = {
  readonly text: string;
  readonly other: string | undefined;
  readonly pattern: boolean;
  readonly variables: Variables;
  /** Cuts a long text. */
  readonly short?: boolean;
};

export function ValueText({ text, other, pattern, variables, short = false }: ValueTextProps) {
  const isMarked = other !== undefined && !pattern && !isPatternOf(other);
  const [same, end] = isMarked ? difference(text, other) : [0, text.length];
  const from = short && same > leadingText && text.length > longestLine ? same - leadingText : 0;
  const to = short ? Math.min(text.length, from + longestText) : text.length;
  const pieces = pattern ? variables.inPattern(text.slice(from, to)) : variables.inText(text.slice(from, to));
  let at = from;
  return (
    <>
      {from > 0 ? <span class="cut">…</span> : null}
      {pieces.map((piece, index) => {
        const start = at;
        at += piece.text.length;
        return (
          <Piece
            key={index}
            piece={piece}
            pattern={pattern}
            marked={isMarked ? [same - start, end - start] : undefined}
          />
        );
      })}
      {to < text.length ? <span class="cut">… {text.length.toLocaleString('en')} characters</span> : null}
    </>
  );
}

/** Whether a text has variables, so that it cannot be compared character by character. */
function isPatternOf(text: string): boolean {
  return text.includes('{{');
}

/** Texts up to this length are shown from their start. */
const longestLine = 80;

/** Where a text differs from another: from the first to the last difference. */
function difference(text: string, other: string): [from: number, to: number] {
  let from = 0;
  while (from < Math.min(text.length, other.length) && text[from] === other[from]) from += 1;
  let tail = 0;
  const most = Math.min(text.length, other.length) - from;
  while (tail < most && text[text.length - 1 - tail] === other[other.length - 1 - tail]) tail += 1;
  return [from, text.length - tail];
}

type PieceProps = {
  readonly piece: TextPiece;
  readonly pattern: boolean;
  readonly marked: readonly [from: number, to: number] | undefined;
};

function Piece({ piece: { text, variable }, pattern, marked }: PieceProps) {
  const hot = useContext(HotVariableContext);
  if (variable === undefined) return <Marked text={text} marked={marked} />;
  return (
    <span
      class={`variable${pattern ? ' in-pattern' : ''}${hot.name === variable ? ' hot' : ''}`}
      data-variable={variable}
      title={variable}
      onPointerEnter={() => hot.light(variable)}
      onPointerLeave={() => hot.light(undefined)}
    >
      {visible(text)}
    </span>
  );
}

function Marked({ text, marked }: { readonly text: string; readonly marked: PieceProps['marked'] }) {
  if (marked === undefined) return <>{visible(text)}</>;
  const from = Math.max(0, Math.min(text.length, marked[0]));
  const to = Math.max(from, Math.min(text.length, marked[1]));
  return (
    <>
      {visible(text.slice(0, from))}
      {to > from ? <mark>{visible(text.slice(from, to))}</mark> : null}
      {visible(text.slice(to))}
    </>
  );
}
