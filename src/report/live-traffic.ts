import { envelopeOf, envelopesOf } from '../diff/envelope.ts';
import type { Finding } from '../diff/finding.ts';
import type { Golden } from '../golden/golden.ts';
import { correspondence } from '../golden/match/unify.ts';
import { kinds } from '../golden/pattern/kinds.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import type { TrafficVariant, VariableData } from '../ui/model.ts';
import type { SharedTexts } from './shared-texts.ts';
import { neutralityRows, overVersionsOf, parityRows, track, trackData, view } from './traffic-data.ts';

/** The traffic of a turn, and what a reader wants to see beside it. */
type LiveTraffic = {
  readonly turn: LiveFrames;
  /** The turn before it in the same thread, if it is known. */
  readonly before: LiveFrames | undefined;
  /** What was compared of the turn, as the start of its session, and the golden; undefined if it was not compared. */
  readonly start:
    | {
        readonly golden: Golden;
        readonly exchanges: readonly Exchange[];
        readonly findings: readonly Finding[];
      }
    | undefined;
};

type LiveFrames = {
  readonly name: string;
  /** An exchange is continued if an earlier turn opened its connection: its head is not of this turn. */
  readonly exchanges: readonly (Exchange & { readonly isContinued: boolean })[];
};

/** The traffic of a turn as a page shows it: beside the golden, beside the turn before, and as a timeline. */
export function liveVariant({ turn, before, start }: LiveTraffic, texts: SharedTexts): TrafficVariant {
  const frames = ({ name, exchanges }: LiveFrames) =>
    track(name, false, exchanges, texts, (at) => exchanges[at]?.isContinued !== true);
  const none: LiveFrames = { name: 'no earlier turn', exchanges: [] };
  const [left, right] = [frames(before ?? none), frames(turn)];
  const live = {
    ...{ tracks: [left, right].map(trackData), variables: [] as VariableData[] },
    views: [
      view(
        {
          id: 'turns',
          label: before === undefined ? 'frames' : 'turn before and this one',
          left: 0,
          right: 1,
        },
        neutralityRows(left, right),
        [],
      ),
    ],
    timeline: { parties: ['client', 'backend'], tracks: [1] },
  };
  if (start === undefined) return { label: '', ...live };
  const { golden, exchanges, findings } = start;
  const matched = correspondence(envelopeOf(golden), envelopesOf(exchanges));
  const expected = track('golden', true, overVersionsOf(exchanges, golden, matched), texts);
  const actual = track('session', false, exchanges, texts);
  const parity = view(
    { id: 'parity', label: 'golden and session', left: 2, right: 3 },
    parityRows(expected, actual, matched),
    findings,
  );
  return {
    label: '',
    ...live,
    variables: [...golden.variables.values()].map(({ name, kind }): VariableData => {
      const value = matched.values.get(name);
      return { name, description: kinds[kind].description, ...(value === undefined ? {} : { value }) };
    }),
    tracks: [...live.tracks, trackData(expected), trackData(actual)],
    views: before === undefined ? [parity, ...live.views] : [...live.views, parity],
  };
}
