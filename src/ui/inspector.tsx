import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { AlignedLine } from './aligned-lines.ts';
import { ValueText } from './line-text.tsx';
import type { FrameData } from './model.ts';
import type { ViewRows } from './rows.ts';
import { visibleLines } from './visible.ts';

/** What the inspector shows: a line, or a frame as it was sent. */
export type Inspected = { readonly row: number; readonly line?: AlignedLine };

type InspectorProps = {
  readonly inspected: Inspected;
  readonly rows: ViewRows;
  readonly titles: readonly [left: string, right: string];
  readonly onClose: () => void;
};

/** Both sides of a line in full length, or of a frame as text and as bytes. */
export function Inspector({ inspected, rows, titles, onClose }: InspectorProps) {
  const [form, setForm] = useState<'text' | 'bytes'>('text');
  const panel = useRef<HTMLElement>(null);
  useLayoutEffect(() => panel.current?.focus({ preventScroll: true }), [inspected]);
  const { line, row } = inspected;
  const { left, right } = rows.framesOf(row);
  const path = line?.right?.path ?? line?.left?.path;
  return (
    <section
      class="inspector"
      ref={panel}
      tabIndex={-1}
      aria-label="inspector"
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        onClose();
      }}
    >
      <header>
        <strong>{line === undefined ? 'as sent' : visibleLines(path?.join(' › ') ?? '')}</strong>
        {line === undefined ? (
          <fieldset class="choice" aria-label="form">
            {(['text', 'bytes'] as const).map((one) => (
              <button type="button" key={one} aria-pressed={form === one} onClick={() => setForm(one)}>
                {one}
              </button>
            ))}
          </fieldset>
        ) : null}
        <span class="spacer" />
        <button type="button" onClick={onClose}>
          close <kbd>Esc</kbd>
        </button>
      </header>
      <div class="halves">
        {line === undefined ? (
          <>
            <Raw title={titles[0]} frame={left} rows={rows} form={form} />
            <Raw title={titles[1]} frame={right} rows={rows} form={form} />
          </>
        ) : (
          <>
            <Whole
              title={titles[0]}
              text={line.left?.text}
              other={undefined}
              rows={rows}
              pattern={rows.isPattern()}
            />
            <Whole
              title={titles[1]}
              text={line.right?.text}
              other={line.state === 'changed' ? line.left?.text : undefined}
              rows={rows}
              pattern={false}
            />
          </>
        )}
      </div>
    </section>
  );
}

type WholeProps = {
  readonly title: string;
  readonly text: string | undefined;
  readonly other: string | undefined;
  readonly rows: ViewRows;
  readonly pattern: boolean;
};

function Whole({ title, text, other, rows, pattern }: WholeProps) {
  return (
    <figure>
      <figcaption>{title}</figcaption>
      {text === undefined ? (
        <p class="none">nothing</p>
      ) : (
        <pre>
          <ValueText text={text} other={other} pattern={pattern} variables={rows.variables} />
        </pre>
      )}
    </figure>
  );
}

type RawProps = {
  readonly title: string;
  readonly frame: FrameData | undefined;
  readonly rows: ViewRows;
  readonly form: 'text' | 'bytes';
};

/** The most bytes that are shown as bytes. */
const mostBytes = 16_384;

function Raw({ title, frame, rows, form }: RawProps) {
  if (frame === undefined)
    return (
      <figure>
        <figcaption>{title}</figcaption>
        <p class="none">nothing</p>
      </figure>
    );
  const text = rows.rawText(frame);
  const bytes = new TextEncoder().encode(text);
  const how = [`${bytes.length.toLocaleString('en')} bytes before compression`, ...frame.notes].join(', ');
  return (
    <figure>
      <figcaption>
        {title} <span class="quiet">{visibleLines(how)}</span>
      </figcaption>
      <pre class={form}>
        {form === 'text' ? visibleLines(text.replaceAll('\r\n', '\n')) : hexLines(bytes.slice(0, mostBytes))}
      </pre>
      {form === 'bytes' && bytes.length > mostBytes ? (
        <p class="quiet">the first {mostBytes.toLocaleString('en')} bytes</p>
      ) : null}
    </figure>
  );
}

/** Bytes as hexadecimal digits, 16 in a line, with their position and text. */
function hexLines(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.slice(at, at + 16)];
    const digits = part.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = part.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${digits.padEnd(47)}  ${text}`);
  }
  return lines.join('\n');
}
