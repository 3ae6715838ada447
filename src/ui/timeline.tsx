import { useMemo, useState } from 'preact/hooks';
import type { Level, TrafficVariant } from './model.ts';
import { type TimelineRow, timelineRows } from './timeline-rows.ts';
import { VirtualList } from './virtual-list.tsx';
import { visible } from './visible.ts';

type TimelineProps = {
  readonly variant: TrafficVariant;
  /** The level of what was found at a frame, if anything was. */
  readonly levelOf: (row: TimelineRow) => Level | undefined;
  /** The counterpart of a frame on the other connection: what was passed on. */
  readonly counterpartOf: (
    row: TimelineRow,
  ) => { readonly track: number; readonly frame: number } | undefined;
  readonly onOpen: (row: TimelineRow) => void;
};

/** What all taps saw, in the order in which they saw it: one arrow for each frame, between the parties of its connection. */
export function Timeline({ variant, levelOf, counterpartOf, onOpen }: TimelineProps) {
  const rows = useMemo(() => timelineRows(variant), [variant]);
  const [active, setActive] = useState(0);
  const [pointed, setPointed] = useState<number | undefined>();
  const { parties, tracks } = variant.timeline;
  const start = rows[0]?.data.at ?? 0;
  const here = rows[pointed ?? active];
  const partner = here === undefined ? undefined : counterpartOf(here);
  const lanes = { gridTemplateColumns: `5.5em repeat(${tracks.length}, minmax(0, 1fr)) 0` };
  return (
    <div class="timeline" onPointerLeave={() => setPointed(undefined)}>
      <div class="parties" style={lanes} aria-hidden="true">
        <span class="quiet">ms</span>
        {parties.map((party, index) => (
          <span key={party} class="party" style={{ gridColumn: `${index + 2}` }}>
            <b>{party}</b>
          </span>
        ))}
      </div>
      <VirtualList
        label={`timeline of ${parties.join(', ')}`}
        count={rows.length}
        active={active}
        onActive={setActive}
        target={variant}
        onOpen={(index) => {
          const row = rows[index];
          if (row !== undefined) onOpen(row);
        }}
        rowProps={(index) => {
          const row = rows[index];
          const level = row === undefined ? undefined : levelOf(row);
          const isPartner = row !== undefined && row.track === partner?.track && row.frame === partner.frame;
          return {
            class: `moment${level === undefined ? '' : ` found ${level}`}${isPartner ? ' partner' : ''}`,
            'aria-level': 1,
          };
        }}
        row={(index) => {
          const row = rows[index];
          if (row === undefined) return null;
          const { lane, data } = row;
          return (
            <div class="lanes" role="presentation" style={lanes} onPointerEnter={() => setPointed(index)}>
              <div role="gridcell" class="time">
                {data.at === undefined ? '' : (data.at - start).toFixed(1)}
              </div>
              {tracks.map((track, at) => (
                <div role="gridcell" key={track} class="lane">
                  {at === lane ? (
                    <span class={`message from-${data.from} ${data.kind}`}>
                      <span class="label">{visible(data.title)}</span>
                    </span>
                  ) : null}
                </div>
              ))}
              <div class="lane last" role="presentation" />
            </div>
          );
        }}
      />
    </div>
  );
}
