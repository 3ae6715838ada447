import { expect, it } from 'vitest';
import { deltasAt } from '../../src/proxy/http/deltas.ts';
import { decodeSse } from '../../src/wire/sse.ts';
import { hello, post, proxyTo, responseEvents, sendAll, sse, startTestBackend } from './setup.ts';

const delta = (text: string, type = 'response.output_text.delta') => JSON.stringify({ type, delta: text });
const [created = '', added = '', , done = '', completed = ''] = responseEvents('OK');

/** Streams events that a backend sends all at once. */
async function stream(events: readonly string[]): Promise<string> {
  const backend = await startTestBackend({ message: (socket) => sendAll(socket, events) });
  return (await post(`${await proxyTo(backend.url)}/v1/responses`, hello)).text();
}

/** Lays out texts in memory as they come from the backend. */
function plainTexts(texts: readonly string[]) {
  const bytes = Buffer.from(texts.map((text) => `    ${text}`).join(''));
  let at = 0;
  const starts = texts.map((text) => {
    const start = at + 4;
    at = start + Buffer.byteLength(text);
    return start;
  });
  return { bytes, starts, ends: starts.map((start, n) => start + Buffer.byteLength(texts[n] ?? '')) };
}

it('streams all kinds of deltas unchanged and in order', async () => {
  const many = Array.from({ length: 2000 }, (_, n) => delta(` word ${n}`));
  const deltas = [
    ...many,
    delta('zwölf 🙂\n\ufffd'),
    delta('reason', 'response.reasoning_summary_text.delta'),
    delta('text'),
    delta('longer type', 'response.output_text.delta.delta'),
    delta('{"a":', 'response.function_call_arguments.delta'),
    '{"delta":"type last","type":"response.output_text.delta"}',
    '{"type":"response.output_text.delta"}',
    delta('unknown', 'response.a_b1.c.delta'),
    // The lengths of these frames have the bytes of line ends.
    ...[10, 13].map((byte) => delta('x'.repeat(256 + byte - delta('').length))),
    delta('y'.repeat(100_000)),
    ...many.slice(0, 3),
  ];
  const events = [created, added, ...deltas, done, completed];
  expect(await stream(events)).toBe(events.map(sse).join(''));
});

it.each(['\n', '\r', '\r\n'])('streams deltas with the line end %j, each as one event', async (lineEnd) => {
  const events = [created, delta('a'), delta('b').replace(',', `,${lineEnd}`), delta('c'), completed];
  const received = decodeSse(await stream(events)).map(({ data }) => JSON.parse(data));
  expect(received).toEqual(events.map((event) => JSON.parse(event)));
});

it('groups successive deltas of one type', () => {
  const texts = [
    delta('a'),
    delta('zwölf'),
    delta('', 'response.reasoning_text.delta'),
    added,
    '{"type":"response.output_text.delta',
  ];
  const all = plainTexts(texts);
  const grouped = texts.map((_, n) => {
    const deltas = deltasAt(all, n);
    return (
      deltas && [deltas.type, ...deltas.starts.map((at, i) => all.bytes.toString('utf8', at, deltas.ends[i]))]
    );
  });
  expect(grouped).toEqual([
    ['response.output_text.delta', ...texts.slice(0, 2)],
    ['response.output_text.delta', texts[1]],
    ['response.reasoning_text.delta', texts[2]],
    undefined,
    undefined,
  ]);
});

it('takes no text for a delta because of the bytes after it', () => {
  const { bytes, starts, ends } = plainTexts([delta('a'), '{"']);
  const after = Buffer.from('type":"response.output_text.delta"');
  expect(deltasAt({ bytes: Buffer.concat([bytes, after]), starts, ends }, 0)?.starts).toEqual(
    starts.slice(0, 1),
  );
});
