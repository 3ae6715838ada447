import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { type Inspected, Inspector } from './inspector.tsx';
import { LineTextView } from './line-text.tsx';
import type { FrameData, Level } from './model.ts';
import type { OpenRows, ViewRow, ViewRows } from './rows.ts';
import { VirtualList } from './virtual-list.tsx';
import { visible } from './visible.ts';

type SideBySideProps = {
  readonly rows: ViewRows;
  readonly titles: readonly [left: string, right: string];
  /** The level of each finding, by its index. */
  readonly levels: readonly Level[];
  /** The row of the view that is shown first. */
  readonly target: number | undefined;
  readonly onTarget: (row: number) => void;
};

/** Two tracks side by side, with their frames and lines aligned. */
export function SideBySide({ rows: source, titles, levels, target, onTarget }: SideBySideProps) {
  const [open, setOpen] = useState<OpenRows>(() => withFrame(source.initiallyOpen(), target));
  const [onlyMarked, setOnlyMarked] = useState(false);
  const [inspected, setInspected] = useState<Inspected | undefined>();
  const rows = useMemo(() => source.rows(open, onlyMarked), [source, open, onlyMarked]);
  const [active, setActive] = useState(() => rowAt(rows, target ?? source.markedRows()[0]));
  /** Changes when the active row must come into view. */
  const [jump, setJump] = useState(0);
  const reveal = (row: number) => {
    const opened = withFrame(open, row);
    setOpen(opened);
    setActive(rowAt(source.rows(opened, onlyMarked), row));
    setJump(jump + 1);
  };
  /** The frame that the link names because the reader clicked it: it is in view already. */
  const visited = useRef<number | undefined>(undefined);
  useEffect(() => {
    if (target !== undefined && target !== visited.current) reveal(target);
    visited.current = undefined;
  }, [target]);
  const show = (row: number) => (row === target ? reveal(row) : onTarget(row));
  const toggle = (index: number) => {
    const row = rows[index];
    switch (row?.kind) {
      case 'frame':
        if (row.row !== target) {
          visited.current = row.row;
          onTarget(row.row);
        }
        return setOpen({ ...open, frames: toggled(open.frames, row.row) });
      case 'fold':
        return setOpen({ ...open, folds: new Set([...open.folds, `${row.row} ${row.from}`]) });
      case 'line':
        return setInspected({ row: row.row, line: row.line });
      default:
        return undefined;
    }
  };
  const nextMarked = (index: number, step: 1 | -1) => {
    const here = rows[index]?.row ?? 0;
    const marked = source.markedRows();
    const next = step === 1 ? marked.find((row) => row > here) : marked.findLast((row) => row < here);
    if (next !== undefined) show(next);
  };
  const onKey = (key: string, index: number): boolean => {
    const row = rows[index];
    switch (key) {
      case 'n':
        nextMarked(index, 1);
        return true;
      case 'p':
        nextMarked(index, -1);
        return true;
      case 'ArrowRight':
        if (row?.kind === 'frame' && !row.isOpen) toggle(index);
        return true;
      case 'ArrowLeft':
        if (row !== undefined && row.kind !== 'frame') setActive(rowAt(rows, row.row));
        else if (row?.kind === 'frame' && row.isOpen) toggle(index);
        return true;
      case 'r':
        if (row !== undefined && row.kind !== 'exchange') setInspected({ row: row.row });
        return true;
      default:
        return false;
    }
  };
  const marked = source.markedRows();
  return (
    <div class="side-by-side">
      <div class="toolbar">
        <label>
          <input
            type="checkbox"
            checked={onlyMarked}
            onChange={(event) => setOnlyMarked(event.currentTarget.checked)}
          />
          only frames with findings
        </label>
        <button type="button" onClick={() => setOpen({ ...open, frames: new Set(source.view.rows.keys()) })}>
          open all
        </button>
        <button type="button" onClick={() => setOpen({ ...open, frames: new Set() })}>
          close all
        </button>
        <span class="spacer" />
        <span class="quiet">
          {marked.length === 0
            ? 'no findings in this view'
            : marked.length === 1
              ? '1 frame with findings'
              : `${marked.length} frames with findings`}
        </span>
        <button type="button" disabled={marked.length === 0} onClick={() => nextMarked(active, -1)}>
          previous <kbd>p</kbd>
        </button>
        <button type="button" disabled={marked.length === 0} onClick={() => nextMarked(active, 1)}>
          next <kbd>n</kbd>
        </button>
      </div>
      <div class="columns" aria-hidden="true">
        <span>{titles[0]}</span>
        <span>{titles[1]}</span>
      </div>
      <VirtualList
        label={`${titles[0]} and ${titles[1]}, side by side`}
        count={rows.length}
        active={Math.min(active, rows.length - 1)}
        onActive={setActive}
        target={jump}
        onOpen={toggle}
        onKey={onKey}
        rowProps={(index) => propsOf(rows[index], levels)}
        row={(index) => {
          const row = rows[index];
          return row === undefined ? null : (
            <RowView row={row} source={source} onRaw={(at) => setInspected({ row: at })} />
          );
        }}
      />
      {inspected === undefined ? null : (
        <Inspector
          inspected={inspected}
          rows={source}
          titles={titles}
          onClose={() => setInspected(undefined)}
        />
      )}
    </div>
  );
}

function withFrame(open: OpenRows, row: number | undefined): OpenRows {
  return row === undefined ? open : { ...open, frames: new Set([...open.frames, row]) };
}

function toggled(set: ReadonlySet<number>, value: number): Set<number> {
  const next = new Set(set);
  if (!next.delete(value)) next.add(value);
  return next;
}

/** The index of the first row of a frame. */
function rowAt(rows: readonly ViewRow[], row: number | undefined): number {
  return Math.max(
    0,
    rows.findIndex((one) => one.row === row),
  );
}

function propsOf(row: ViewRow | undefined, levels: readonly Level[]) {
  if (row === undefined) return {};
  const findings = row.kind === 'fold' ? [] : row.findings;
  const level = worst(findings.map((finding) => levels[finding] ?? 'shape'));
  const state =
    row.kind === 'line'
      ? ` ${row.line.state.replace(' ', '-')}${row.line.moved === undefined ? '' : ' moved'}`
      : '';
  return {
    class: `${row.kind}${state}${level === undefined ? '' : ` found ${level}`}`,
    'aria-level': row.kind === 'exchange' ? 1 : row.kind === 'frame' ? 2 : 3,
    ...(row.kind === 'frame' ? { 'aria-expanded': row.isOpen } : {}),
  };
}

function worst(levels: readonly Level[]): Level | undefined {
  return (['breaks', 'identity', 'shape'] as const).find((level) => levels.includes(level));
}

type RowViewProps = {
  readonly row: ViewRow;
  readonly source: ViewRows;
  readonly onRaw: (row: number) => void;
};

function RowView({ row, source, onRaw }: RowViewProps) {
  switch (row.kind) {
    case 'exchange':
      return (
        <>
          <Cell>
            {row.left === undefined ? <span class="none">no such exchange</span> : visible(row.left)}
          </Cell>
          <Cell>
            {row.right === undefined ? <span class="none">no such exchange</span> : visible(row.right)}
          </Cell>
        </>
      );
    case 'frame': {
      const differs = row.findings.length === 0 && source.differs(row.row);
      return (
        <>
          <Cell>
            <span class="twist" aria-hidden="true">
              {row.isOpen ? '▾' : '▸'}
            </span>
            <FrameTitle frame={row.left} />
          </Cell>
          <Cell>
            <FrameTitle frame={row.right} />
            <span class="spacer" />
            {differs ? <span class="note">differs, not judged</span> : null}
            {row.findings.length === 0 ? null : (
              <span class="badge">
                {row.findings.length === 1 ? '1 finding' : `${row.findings.length} findings`}
              </span>
            )}
            <button
              type="button"
              class="raw"
              tabIndex={-1}
              title="show the bytes (r)"
              onClick={(event) => {
                event.stopPropagation();
                onRaw(row.row);
              }}
            >
              raw
            </button>
          </Cell>
        </>
      );
    }
    case 'fold':
      return <Cell wide>{`⋯ ${row.count} equal lines`}</Cell>;
    case 'line': {
      const { left, right, depth, state, moved } = row.line;
      const isChanged = state === 'changed';
      const indent = { paddingLeft: `${2.4 + Math.min(depth, 24) * 1.2}em` };
      return (
        <>
          <Cell style={indent}>
            {left === undefined ? null : (
              <LineTextView
                line={left}
                other={isChanged ? right : undefined}
                position={moved?.[0]}
                pattern={source.isPattern()}
                variables={source.variables}
              />
            )}
          </Cell>
          <Cell style={indent}>
            {right === undefined ? null : (
              <LineTextView
                line={right}
                other={isChanged ? left : undefined}
                position={moved?.[1]}
                pattern={false}
                variables={source.variables}
              />
            )}
          </Cell>
        </>
      );
    }
  }
}

type CellProps = {
  readonly children: ComponentChildren;
  readonly wide?: boolean;
  readonly style?: Readonly<Record<string, string>>;
};

function Cell({ children, wide = false, style }: CellProps) {
  return (
    <div role="gridcell" class={wide ? 'cell wide' : 'cell'} {...(style === undefined ? {} : { style })}>
      {children}
    </div>
  );
}

function FrameTitle({ frame }: { readonly frame: FrameData | undefined }) {
  if (frame === undefined) return <span class="none">nothing</span>;
  return (
    <>
      <span class={`arrow ${frame.from}`} title={`from the ${frame.from}`}>
        {frame.from === 'client' ? '→' : '←'}
      </span>
      <span class="frame-title">{visible(frame.title)}</span>
      {frame.notes.length === 0 ? null : <span class="note">{frame.notes.map(visible).join(', ')}</span>}
    </>
  );
}
