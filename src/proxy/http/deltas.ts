import { areSameWords, viewOf } from './byte-words.ts';
import type { PlainTexts } from './upstream/plain-texts.ts';

/**
 * Successive events of one type that ends with `.delta`. Most of a response are these, and a client receives them as they came:
 * as bytes they take a fraction of the time.
 */
export type Deltas = PlainTexts & { readonly type: string };

/** Receives deltas. As for an EventHandler, reading pauses until the promise resolves. */
export type DeltasHandler = (deltas: Deltas) => Promise<void> | undefined;

/** The longest start of an event that is looked at. */
const longestStart = 80;

/** Returns the deltas of one type that begin with the text `first`, or undefined if that is another event. */
export function deltasAt({ bytes, starts, ends }: PlainTexts, first: number): Deltas | undefined {
  const [from = 0, to = 0] = [starts[first], ends[first]];
  const head = bytes.toString('latin1', from, Math.min(to, from + longestStart));
  const [start = '', type] = /^{"type":"(response\.[\w.]+\.delta)"/.exec(head) ?? [];
  if (type === undefined) return undefined;
  const view = viewOf(bytes);
  const isAlike = (n: number) => {
    const at = starts[n] ?? 0;
    return at + start.length <= (ends[n] ?? 0) && areSameWords(view, from, at, start.length);
  };
  let end = first + 1;
  while (end < starts.length && isAlike(end)) end += 1;
  return { type, bytes, starts: starts.slice(first, end), ends: ends.slice(first, end) };
}
