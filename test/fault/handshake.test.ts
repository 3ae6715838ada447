import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import { parseFault } from '../../src/fault/fault.ts';
import { startInterceptingTap } from '../../src/tap/intercept.ts';
import { closing, securely, temporaryAuthority } from '../tap/local.ts';

/** A backend with TLS in front of it. Returns a function that connects to it. */
async function connecting(fault: string) {
  const backend = await startBackend({ script: [], faults: { wire: [parseFault(fault)] } });
  onTestFinished(backend.close);
  const authority = await temporaryAuthority();
  const tap = closing(
    await startInterceptingTap({
      authority,
      upstream: { kind: 'fixed', host: '127.0.0.1', port: backend.port, tls: false },
      observe: () => {},
      failHandshake: backend.failHandshake,
    }),
  );
  const connect = () => securely(tap.port, 'chatgpt.com', authority);
  return { connect, deviations: backend.deviations };
}

it.each([
  ['tls-alert', /alert internal error/],
  ['reset', /ECONNRESET/],
  ['drop', /disconnected before secure TLS connection was established/],
])('fails one TLS handshake: %s', async (kind, error) => {
  const { connect, deviations } = await connecting(`${kind}@handshake`);
  expect(deviations()).toEqual([`fault ${kind}@handshake did not happen`]);
  await expect(connect()).rejects.toThrow(error);
  expect((await connect()).authorized).toBe(true);
  expect(deviations()).toEqual([]);
});

it.each(['half-open', 'stall'])('leaves one client waiting in its TLS handshake: %s', async (kind) => {
  const { connect } = await connecting(`${kind}@handshake`);
  const first = connect().then(
    () => 'connected',
    () => 'failed',
  );
  expect((await connect()).authorized).toBe(true);
  expect(await Promise.race([first, delay(50, 'waiting')])).toBe('waiting');
});

it('fails the handshake that it names, or every one', async () => {
  const second = await connecting('reset@handshake:2');
  expect((await second.connect()).authorized).toBe(true);
  await expect(second.connect()).rejects.toThrow(/ECONNRESET/);
  const every = await connecting('reset@handshake:every');
  for (const _ of [1, 2]) await expect(every.connect()).rejects.toThrow(/ECONNRESET/);
});
