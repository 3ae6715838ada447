import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

/** A proxy that responds to its client by itself: with a status and body, or with a frame after the upgrade. */
const refusingProxy = `
  const { createServer } = require('http');
  const { createHash } = require('crypto');
  const [port, status, text] = process.argv.slice(1);
  const server = createServer((request, response) => {
    response.writeHead(Number(status), { 'content-type': 'application/json' }).end(text);
  });
  server.on('upgrade', (request, socket) => {
    socket.on('error', () => {});
    if (status !== '101') {
      socket.end('HTTP/1.1 ' + status + ' Refused\\r\\nContent-Length: ' + text.length + '\\r\\n\\r\\n' + text);
      return;
    }
    const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
    socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n' +
      'Sec-WebSocket-Accept: ' + createHash('sha1').update(key).digest('base64') + '\\r\\n\\r\\n');
    const [, code, reason] = /^close (\\d+) (.*)/.exec(text) ?? [];
    const payload = code ? Buffer.from('  ' + reason) : Buffer.from(text);
    if (code) payload.writeUInt16BE(Number(code));
    socket.once('data', () => socket.write(Buffer.concat([Buffer.from([code ? 0x88 : 0x81, payload.length]), payload])));
  });
  server.listen(Number(port), '127.0.0.1');
`;

/** Checks a proxy that refuses everything. Fails if the check takes its time limit. */
async function checkRefusing(status: number, text: string, args: readonly string[] = []) {
  const folder = temporaryFolder();
  const command = [process.execPath, '-e', refusingProxy, '{port}', String(status), text];
  const subjects = { mine: { command } };
  writeFileSync(join(folder, 'codex-parity.config.json'), JSON.stringify({ subjects }));
  const check = ['check', '--verbose', '--subject', 'mine', '--codex', '0.169.0', '--scenario', 'fast'];
  return runInProcess([...check, ...args], { cwd: folder });
}

it.each([
  {
    status: 401,
    text: '{"error":"missing key"}',
    why: 'it has no valid sign-in, or it wants a key of its own from its client',
  },
  { status: 403, text: 'Forbidden', why: 'it forbids the request' },
  {
    status: 404,
    text: '{"detail":"Not Found"}',
    why: 'it has no Responses API at this path: correct "path"',
  },
  { status: 426, text: 'use HTTP', why: 'it takes no websockets at this path' },
  {
    status: 400,
    text: '{"error":{"message":"Model gpt-5.6 is not supported"}}',
    why: 'it does not know the model of the request',
  },
  { status: 409, text: 'no', why: "it rejects the official client's request by itself" },
  { status: 429, text: 'slow down', why: 'it limits its clients' },
  {
    status: 502,
    text: 'bad gateway',
    why: 'no model request reached the simulated backend: the upstream of mine must be http://127.0.0.1:',
  },
])('quotes the status $status that a proxy gives its client, and says what it means', async (refused) => {
  const { status, text, why } = refused;
  const { exitCode, stdout } = await checkRefusing(status, text);
  expect(stdout).toContain(
    `the subject responded to the upgrade with ${status} instead of 101; its client received ${status} ${text}\n  why      ${why}`,
  );
  expect(stdout).toContain('no parity: 1 finding for mine');
  expect(exitCode).toBe(1);
});

it.each([
  {
    frame: '{"type":"error","status":401,"error":{"code":"token_expired"}}',
    received: '401 {"type":"error"',
    why: 'it has no valid sign-in',
  },
  {
    frame: '{"error":{"code":"model_not_found"}}',
    received: '{"error":{"code":"model_not_found"}}',
    why: 'it does not know the model',
  },
  {
    frame: 'close 1008 unauthorized client',
    received: '1008 unauthorized client',
    why: 'it has no valid sign',
  },
])('ends a scenario at once after the frame $frame, and quotes it', async ({ frame, received, why }) => {
  const start = Date.now();
  const { exitCode, stdout } = await checkRefusing(101, frame);
  expect(stdout).toContain(`; its client received ${received}`);
  expect(stdout).toContain(`  why      ${why}`);
  expect(exitCode).toBe(1);
  expect(Date.now() - start).toBeLessThan(20_000);
});

it('does not print a secret that a proxy sends to its client', async () => {
  const { stdout } = await checkRefusing(401, '{"error":"bad key sk-0123456789abcdef0123"}');
  expect(stdout).toContain('its client received 401 {"error":"bad key <<secret token ');
  expect(stdout).not.toContain('sk-0123456789');
});

it('quotes the refusal of a proxy with a program as its client too', async () => {
  const { exitCode, stdout } = await checkRefusing(404, '{"detail":"Not Found"}', [
    '--driver',
    'openai-chat',
  ]);
  expect(stdout).toContain('its client received 404 {"detail":"Not Found"}');
  expect(stdout).toContain('  why      it has no Responses API at this path');
  expect(exitCode).toBe(1);
});
