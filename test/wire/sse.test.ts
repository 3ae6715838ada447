import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeSse, encodeSse, SseDecoder, sseBlocks } from '../../src/wire/sse.ts';
import { anyChunking, byteByByte } from './chunking.ts';

function decode(chunks: readonly Buffer[]) {
  const decoder = new SseDecoder();
  return chunks.flatMap((chunk) => decoder.push(chunk));
}

it('decodes an event from the backend', () => {
  const raw = 'event: response.created\ndata: {"type":"response.created"}\n\n';
  const event = { event: 'response.created', data: '{"type":"response.created"}' };
  expect(decodeSse(raw)).toEqual([event]);
  expect(decode(byteByByte(Buffer.from(raw)))).toEqual([event]);
});

it('joins data lines and removes one leading space from each', () => {
  // The example of WHATWG HTML §9.2.6.
  expect(decodeSse('data: YHOO\ndata: +2\ndata: 10\n\ndata\n\ndata\ndata\n\ndata:  x\n\n')).toMatchObject([
    { data: 'YHOO\n+2\n10' },
    { data: '' },
    { data: '\n' },
    { data: ' x' },
  ]);
});

it('accepts CR, LF and CRLF as line ends', () => {
  const datas = decodeSse('data: a\r\n\r\ndata: b\r\rdata: c\n\n').map(({ data }) => data);
  expect(datas).toEqual(['a', 'b', 'c']);
});

it('dispatches nothing for a block without data', () => {
  const ignored = [': ping', 'id: 5', 'retry: 1000', 'event: e', 'unknown: x', ''];
  expect(decodeSse(`${ignored.join('\n\n')}\n\ndata: x\n\n`)).toEqual([{ event: '', data: 'x' }]);
});

it('dispatches no event without its empty line', () => {
  expect(decodeSse('data: a\n\nevent: e\ndata: half')).toEqual([{ event: '', data: 'a' }]);
  expect(decodeSse('data: a\n\nevent: e\ndata: half\n')).toEqual([{ event: '', data: 'a' }]);
});

it('reports how blocks are written, and those that clients ignore', () => {
  const raw = ': hi\r\n\r\nid: 1\nevent: e\ndata:a\ndata: b\n\nretry: 5\rx: y\r\rdata: c\r\n\n\ndata: half\n';
  expect(sseBlocks(raw)).toEqual([
    { event: '', data: undefined, lines: ['comment'], ends: 'CRLF', unfinished: false },
    { event: 'e', data: 'a\nb', lines: ['id', 'event', 'data:', 'data'], ends: 'LF', unfinished: false },
    { event: '', data: undefined, lines: ['retry', 'other'], ends: 'CR', unfinished: false },
    { event: '', data: 'c', lines: ['data'], ends: 'mixed', unfinished: false },
    { event: '', data: 'half', lines: ['data'], ends: 'LF', unfinished: true },
  ]);
});

it('dispatches an event at the CR of its empty line, and drops the LF that follows', () => {
  const decoder = new SseDecoder();
  expect(decoder.push(Buffer.from('data: a\r\n\r'))).toEqual([{ event: '', data: 'a' }]);
  expect(decoder.push(Buffer.from('\ndata: b\n\n'))).toEqual([{ event: '', data: 'b' }]);
});

it('returns an event as soon as its empty line arrives', () => {
  expect(new SseDecoder().push(Buffer.from('data: now\n\n'))).toHaveLength(1);
});

it('drops a byte order mark', () => {
  expect(decode([Buffer.from('\ufeffdata: a\n\n')])).toMatchObject([{ data: 'a' }]);
});

it('decodes the same in any chunking', () => {
  const bytes = Buffer.from(
    ': hi\r\n\r\nevent: é\r\ndata: \u{1f642}\r\r\ndata: b\r\ndata\n\nid: 1\rdata:x\r\r',
  );
  const whole = decode([bytes]);
  expect(whole).toHaveLength(3);
  fc.assert(
    fc.property(anyChunking(bytes), (chunks) => {
      expect(decode(chunks)).toEqual(whole);
    }),
  );
});

it('writes the event line first, then a data line for each line', () => {
  expect(encodeSse('a\nb\r\nc\rd', 'e')).toBe('event: e\ndata: a\ndata: b\ndata: c\ndata: d\n\n');
  expect(encodeSse('a')).toBe('data: a\n\n');
});

it('decodes what it encodes', () => {
  const text = fc.string({ unit: 'grapheme' });
  const event = text.map((value) => value.replace(/[\r\n]/g, ''));
  const data = text.map((value) => value.replaceAll('\r', ''));
  fc.assert(
    fc.property(event, data, (event, data) => {
      expect(decodeSse(encodeSse(data, event))).toEqual([{ event, data }]);
    }),
  );
});
