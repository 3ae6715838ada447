import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/**
 * Loaded before a program that is measured: at its end it writes the most memory that was resident, in bytes, to the
 * file that BENCH_USAGE names. Not by getrusage where it can be helped: there a process begins with what its parent
 * had.
 */
process.on('exit', () => {
  const status = '/proc/self/status';
  const peak = existsSync(status) ? /VmHWM:\s+(\d+)/.exec(readFileSync(status, 'utf8'))?.[1] : undefined;
  const kilobytes = peak === undefined ? process.resourceUsage().maxRSS : Number(peak);
  writeFileSync(process.env.BENCH_USAGE ?? '', String(kilobytes * 1024));
});
