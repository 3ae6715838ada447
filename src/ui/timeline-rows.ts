import type { FrameData, TrafficVariant } from './model.ts';

/** One thing that a tap saw. */
export type TimelineRow = {
  /** Index of the connection among those of the timeline. */
  readonly lane: number;
  readonly track: number;
  readonly frame: number;
  readonly data: FrameData;
};

/** What all taps saw, in the order in which they saw it. */
export function timelineRows({ timeline, tracks }: TrafficVariant): TimelineRow[] {
  const rows = timeline.tracks.flatMap((track, lane) => {
    let at = 0;
    return (tracks[track]?.frames ?? []).map((data, frame) => {
      // The end of a connection has no time of its own: it comes after what was before it.
      at = data.at ?? at;
      return { lane, track, frame, data, at };
    });
  });
  return rows
    .sort((a, b) => a.at - b.at || (a.lane === b.lane ? a.frame - b.frame : order(a) - order(b)))
    .map(({ at: _, ...row }) => row);
}

/** At one time, a request passes the first connection first, and a response the last one. */
function order({ lane, data }: Pick<TimelineRow, 'lane' | 'data'>): number {
  return data.from === 'client' ? lane : -lane;
}
