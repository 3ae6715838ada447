import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { ContentCollector, contentLimit, limited } from '../../src/wire/content-collector.ts';

function collect(content: Buffer, partLength: number): ReturnType<ContentCollector['take']> {
  const collector = new ContentCollector();
  for (let at = 0; at < content.length; at += partLength)
    collector.push(content.subarray(at, at + partLength));
  expect(collector.length).toBe(content.length);
  return collector.take();
}

function digest(content: Buffer) {
  return { length: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}

it('keeps content up to the limit', () => {
  expect(new ContentCollector().take()).toEqual(Buffer.alloc(0));
  for (const part of [1, 3, 1000])
    expect(collect(Buffer.from('abcdefgh'), part)).toEqual(Buffer.from('abcdefgh'));
  const longest = Buffer.alloc(contentLimit, 'abc');
  expect(longest.equals(collect(longest, 100_000) as Buffer)).toBe(true);
  expect(limited(longest)).toBe(longest);
});

it('keeps length and hash of content above the limit, however it arrives', () => {
  const content = Buffer.alloc(contentLimit + 100, 'abc');
  for (const part of [99_999, contentLimit, content.length])
    expect(collect(content, part)).toEqual(digest(content));
  expect(limited(content)).toEqual(digest(content));
});
