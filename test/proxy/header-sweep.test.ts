import { expect, it } from 'vitest';
import { hello, post, proxyTo, startTestBackend } from './setup.ts';

const session = '01a20000-0000-7000-8000-000000000001';
const official = { originator: 'codex_exec', 'x-codex-turn-metadata': '{}', 'session-id': session };

/** Headers that are compared with the golden's patterns, or kept for the session. */
const names = ['user-agent', 'x-codex-turn-metadata', 'x-codex-window-id', 'session-id', 'thread-id'];

/** Texts that are hard to divide: by the literals of the golden's user agent, by JSON, by digits. */
const units = ['x', '(', '; ', ' (a; b) ', '0', '"{', 'codex_exec/0.169.0 (', '00000000-'];

/** Longer than the time that a request may delay another, since this machine does other things as well. */
const longestDelay = 250;

it.each(names)('is not delayed by a long %s', async (name) => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const once = () => post(`${proxy}/v1/responses`, hello, official).then((response) => response.text());
  await once();
  for (const unit of units) {
    for (const length of [4000, 60_000, 120_000, 240_000]) {
      const value = unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
      const headers = { ...official, [name]: value };
      const sent = Date.now();
      await (await post(`${proxy}/v1/responses`, hello, headers)).text();
      expect(Date.now() - sent, `${unit} ${length}`).toBeLessThan(longestDelay);
    }
  }
});

it('is not delayed by a body whose values are too long for headers', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const model = '\n'.repeat(3_000_000);
  await (await post(`${proxy}/v1/responses`, hello, official)).text();
  let last = Date.now();
  let longest = 0;
  const timer = setInterval(() => {
    longest = Math.max(longest, Date.now() - last);
    last = Date.now();
  }, 5);
  await (await post(`${proxy}/v1/responses`, { ...hello, model }, official)).text();
  clearInterval(timer);
  expect(longest).toBeLessThan(1000);
});
