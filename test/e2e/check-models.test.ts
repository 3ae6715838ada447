import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

/** A proxy that forwards bytes, but has a list of models of its own. */
const listingProxy = `
  const net = require('net');
  const [port, upstream, list] = process.argv.slice(1);
  const { host, hostname, port: behind } = new URL(upstream);
  net.createServer({ noDelay: true }, (front) => {
    front.on('error', () => {});
    front.once('data', (bytes) => {
      const head = bytes.toString('latin1');
      if (/^GET [^ ]*[/]models/.test(head)) {
        return front.end('HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nConnection: close\\r\\nContent-Length: ' +
          list.length + '\\r\\n\\r\\n' + list);
      }
      const back = net.connect({ host: hostname, port: Number(behind), noDelay: true });
      back.on('error', () => front.destroy());
      back.write(head.replace(/(host: )[0-9.:]+/i, '$1' + host), 'latin1');
      front.pipe(back).pipe(front);
      front.on('close', () => back.destroy());
    });
  }).listen(Number(port), '127.0.0.1');
`;

/** The members without which the official client does not use a model (measured: codex 0.169.0). */
const model = {
  slug: 'made-up-model',
  display_name: 'Made up',
  support_verbosity: true,
  truncation_policy: { mode: 'tokens', limit: 10_000 },
  supported_reasoning_levels: [{ effort: 'low', description: 'low' }],
  shell_type: 'shell_command',
  visibility: 'list',
  supported_in_api: true,
  priority: 1,
  model_messages: { instructions_template: 'Be brief.' },
  experimental_supported_tools: [],
};

it('judges what the proxy adds, not what its list of models makes the official client send', async () => {
  const folder = temporaryFolder();
  const list = JSON.stringify({ models: [model] });
  const command = [process.execPath, '-e', listingProxy, '{port}', '{upstream}', list];
  writeFileSync(
    join(folder, 'codex-parity.config.json'),
    JSON.stringify({ subjects: { mine: { command } } }),
  );
  const { stdout } = await runInProcess(
    [
      'check',
      '--verbose',
      '--subject',
      'mine',
      '--codex',
      '0.169.0',
      '--scenario',
      'default',
      '--driver',
      'codex',
    ],
    { cwd: folder },
  );
  // The client leaves this header out where it is pointed at a proxy. This one does not add it.
  expect(stdout).toMatch(/default +1 finding +ok +ok\n/);
  expect(stdout).toContain('handshake › x-openai-account-routing-override: missing\n');
  expect(stdout).toMatch(
    /\nnote: 0\.169\.0 default: your \/models made the client speak as made-up-model: \d+ differences are its own/,
  );
});
