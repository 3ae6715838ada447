import { recordCommandThroughTap } from '../../src/record/record-live.ts';

/** Records a command, as `record -- COMMAND` does, but with localhost as the backend. Prints the seconds and megabytes. */
const [out = '', ...command] = process.argv.slice(2);
const start = performance.now();
const { requests } = await recordCommandThroughTap(command, out, ['localhost']);
console.log(
  JSON.stringify({
    requests,
    seconds: (performance.now() - start) / 1000,
    megabytes: (process.resourceUsage().maxRSS * 1024) / 1_000_000,
  }),
);
