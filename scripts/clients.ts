// Plays clients as they are, from their registries, through the bundled proxy and the strict simulated backend, and writes
// docs/clients.md.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { clientsDocument } from './clients/document.ts';
import { matrix } from './clients/matrix.ts';
import { type ClientResult, playClient } from './clients/run-client.ts';
import { runMain } from './run-main.ts';

const usage = 'npm run clients -- [--only NAME]... [--list]';
const document = join(import.meta.dirname, '..', 'docs', 'clients.md');

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      list: { type: 'boolean', default: false },
    },
  });
  const unknown = values.only.find((name) => !matrix.some((client) => client.name === name));
  if (values.list || unknown !== undefined) {
    if (unknown !== undefined) process.stderr.write(`there is no client "${unknown}": ${usage}\n`);
    process.stdout.write(`${matrix.map(({ name }) => name).join('\n')}\n`);
    return unknown === undefined ? 0 : 2;
  }
  const clients = matrix.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
  const results: ClientResult[] = [];
  for (const client of clients) {
    const start = Date.now();
    const result = await playClient(client);
    results.push(result);
    const seconds = Math.round((Date.now() - start) / 1000);
    const verdict = result.failure ?? `ok, ${result.played.length} conversations`;
    process.stdout.write(`${client.name}: ${verdict} (${seconds} s)\n`);
  }
  // A part of the matrix is not what the document shows.
  if (clients.length === matrix.length) writeFileSync(document, clientsDocument(results));
  return results.some(({ failure }) => failure !== undefined) ? 1 : 0;
}

await runMain(main);
