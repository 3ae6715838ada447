import { ParityError } from '../errors.ts';
import type { Shard } from '../record/record-matrix.ts';

/** Reads a part of a whole, such as `2/4`. Throws ParityError. */
export function parseShard(text: string): Shard {
  const [, part = 0, total = 0] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  if (part >= 1 && part <= total) return { part, total };
  throw new ParityError('usage', `--shard "${text}" is not a part of a whole, such as 2/4`);
}
