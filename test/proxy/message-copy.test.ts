import { expect, it } from 'vitest';
import { MessageCopy } from '../../src/proxy/relay/message-copy.ts';

it('keeps a text, although the memory of its chunks is read into again', () => {
  const texts: string[] = [];
  const copy = new MessageCopy({
    onHead: () => true,
    onEnd: (text) => void texts.push(text),
    tooLong: undefined,
  });
  const text = `{"type":"error","message":"${'x'.repeat(200)}"}`;
  const memory = Buffer.alloc(100);
  for (let at = 0; at < text.length; at += memory.length) {
    const end = memory.write(text.slice(at, at + memory.length));
    const ends = at + memory.length >= text.length;
    const part = { begins: at === 0, ends, chunk: memory, start: 0, end, mask: 0 };
    copy.push({ opcode: 'text', compressed: false, ...part });
  }
  expect(texts).toEqual([text]);
});
