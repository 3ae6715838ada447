import { startReverseTap } from '../../src/tap/reverse.ts';

/** A plain relay to the port of the first argument: the tap, without anything that looks at the bytes. */
const nothing = { onData: () => {}, onFinished: () => {}, onCut: () => {} };
const tap = await startReverseTap({
  upstream: { host: '127.0.0.1', port: Number(process.argv[2]) },
  observe: () => {},
  listen: () => nothing,
});
console.log(`listening ${tap.port}`);
