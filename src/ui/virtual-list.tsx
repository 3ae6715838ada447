import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** The height of each row in pixels. All are equal, so that the rows in view follow from the position. */
export const rowHeight = 22;

/** Rows above and below those in view, so that fast scrolling shows no gap. */
const overscan = 24;

type VirtualListProps = {
  readonly label: string;
  readonly count: number;
  /** The row that the keyboard acts on. */
  readonly active: number;
  readonly onActive: (index: number) => void;
  /** Scrolls to the active row when this changes. */
  readonly target: unknown;
  readonly row: (index: number) => ComponentChildren;
  readonly rowProps: (index: number) => Readonly<Record<string, string | number | boolean | undefined>>;
  readonly onOpen: (index: number) => void;
  /** For keys that the list does not know. Returns whether it used the key. */
  readonly onKey?: (key: string, index: number) => boolean;
};

/**
 * A list that keeps only the rows in view in the document. The arrow keys move through it. The focus stays on the list,
 * which names its active row: the element of a row goes when it is scrolled out of view. Rows of a `table` could not be
 * placed by their position.
 */
export function VirtualList(props: VirtualListProps) {
  const { label, count, active, onActive, target, row, rowProps, onOpen, onKey } = props;
  const list = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  useLayoutEffect(() => {
    const { current } = list;
    if (current === null) return;
    const update = () => setView({ top: current.scrollTop, height: current.clientHeight });
    update();
    const observer = new ResizeObserver(update);
    observer.observe(current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const { current } = list;
    if (current === null) return;
    const top = active * rowHeight;
    current.scrollTop = Math.max(0, top - current.clientHeight / 3);
  }, [target]);

  const show = (index: number) => {
    const { current } = list;
    if (current === null) return;
    const top = index * rowHeight;
    if (top < current.scrollTop) current.scrollTop = top;
    const bottom = top + rowHeight - current.clientHeight;
    if (bottom > current.scrollTop) current.scrollTop = bottom;
  };
  const move = (to: number) => {
    const index = Math.max(0, Math.min(count - 1, to));
    onActive(index);
    show(index);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(view.height / rowHeight) - 2);
    const moves: Readonly<Record<string, number>> = {
      ...{ ArrowDown: active + 1, j: active + 1, ArrowUp: active - 1, k: active - 1 },
      ...{ PageDown: active + page, PageUp: active - page, Home: 0, End: count - 1 },
    };
    const to = moves[event.key];
    if (to !== undefined) move(to);
    else if (event.key === 'Enter' || event.key === ' ') onOpen(active);
    else if (!onKey?.(event.key, active)) return;
    event.preventDefault();
    event.stopPropagation();
  };

  const first = Math.max(0, Math.floor(view.top / rowHeight) - overscan);
  const last = Math.min(count, Math.ceil((view.top + view.height) / rowHeight) + overscan);
  return (
    <div
      class="list"
      ref={list}
      role="treegrid"
      tabIndex={0}
      aria-label={label}
      aria-rowcount={count}
      aria-activedescendant={active >= first && active < last ? `row-${active}` : undefined}
      onKeyDown={onKeyDown}
      onScroll={(event) =>
        setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })
      }
    >
      <div class="list-space" role="presentation" style={{ height: `${count * rowHeight}px` }}>
        <div
          class="list-window"
          role="presentation"
          style={{ transform: `translateY(${first * rowHeight}px)` }}
        >
          {Array.from({ length: Math.max(0, last - first) }, (_, at) => first + at).map((index) => {
            const { class: name, ...others } = rowProps(index);
            return (
              <div
                key={index}
                id={`row-${index}`}
                role="row"
                aria-rowindex={index + 1}
                aria-selected={index === active}
                class={`row ${name ?? ''}${index === active ? ' active' : ''}`}
                onClick={() => {
                  onActive(index);
                  onOpen(index);
                }}
                {...others}
              >
                {row(index)}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
