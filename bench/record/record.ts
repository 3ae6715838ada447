import { writeFileSync } from 'node:fs';
import { recordCommandThroughTap } from '../../src/record/record-live.ts';

/**
 * Records a command, as `record -- COMMAND` does, but with localhost as the backend. Writes what it needed to the file in
 * the first argument; the second is the trace, and the others are the command.
 */
const [usage = '', trace = '', ...command] = process.argv.slice(2);
const start = performance.now();
const { requests } = await recordCommandThroughTap({ command, out: trace, hosts: ['localhost'] });
const seconds = (performance.now() - start) / 1000;
const megabytes = (process.resourceUsage().maxRSS * 1024) / 1_000_000;
writeFileSync(usage, JSON.stringify({ requests, seconds, megabytes }));
