import { expect, it } from 'vitest';
import { areSameWords, copyWords, viewOf } from '../../../src/proxy/http/byte-words.ts';

const bytes = Buffer.from(Array.from({ length: 64 }, (_, n) => n));
// Neither begins where its memory begins.
const source = Buffer.concat([Buffer.alloc(3), bytes]).subarray(3);

it('copies ranges of eight bytes and more, and no byte beside them', () => {
  for (let length = 8; length <= 40; length += 1) {
    const target = Buffer.alloc(72, 0xff).subarray(1);
    expect(copyWords(viewOf(source), 5, 5 + length, viewOf(target), 9)).toBe(9 + length);
    expect(target.subarray(9, 9 + length)).toEqual(bytes.subarray(5, 5 + length));
    const beside = [...target.subarray(0, 9), ...target.subarray(9 + length)];
    expect(new Set(beside)).toEqual(new Set([0xff]));
  }
});

it('finds a difference at every place of a range, and none beside it', () => {
  for (const length of [8, 13, 16, 21]) {
    const twice = Buffer.concat([source.subarray(0, length + 1), source.subarray(0, length + 1)]);
    const isSame = () => areSameWords(viewOf(twice), 0, length + 1, length);
    expect(isSame()).toBe(true);
    twice[2 * length + 1] = 0xff;
    expect(isSame()).toBe(true);
    for (let at = 0; at < length; at += 1) {
      twice[at] = 0xff;
      expect(isSame()).toBe(false);
      twice[at] = at;
    }
  }
});
