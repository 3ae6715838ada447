import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { styleText } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { ParityError } from '../errors.ts';
import { plainScreen, type Screen } from '../report/first-screen.ts';
import { Analysis } from './analysis.ts';
import type { ByteBatch } from './byte-queue.ts';
import { GoldenChoice } from './golden-choice.ts';
import { LiveAnalysis } from './live-analysis.ts';
import { startPageServer } from './page-server.ts';
import { returnHeap } from './return-heap.ts';
import type { WatchWorkerData, WorkerMessage } from './start-watch.ts';
import { WatchLines } from './watch-lines.ts';

/** The thread of a live view: it analyses what the relay saw, prints lines and serves the page. */
const { goldens, golden, pagePort, about, colours, waiting }: WatchWorkerData = workerData;
const post = (message: WorkerMessage) => parentPort?.postMessage(message);

/**
 * What the analysis needs for a moment, V8 keeps for later. It is returned after so many analysed bytes (measured: node
 * 24.21.0, 10,000 turns of `npm run bench -- watch`: 181 to 188 MB, and 150 MB so, for 5% more processor time).
 */
const bytesBetweenReturns = 16_000_000;

const screen: Screen = {
  ...plainScreen,
  ...(colours
    ? {
        paint: (colour: Parameters<Screen['paint']>[0], text: string) =>
          styleText(colour, text, { validateStream: false }),
      }
    : {}),
};
giveWay();
const lines = new WatchLines(screen);
const analysis = new Analysis(new GoldenChoice(goldens, golden));
try {
  const page =
    pagePort === undefined ? undefined : await startPageServer({ analysis, port: pagePort, about });
  const live = new LiveAnalysis(analysis, (update) => {
    page?.update(update.session.number, update.type === 'turn' ? update.turn.id : undefined);
    const text = lines.linesOf(update);
    if (text.length > 0) post({ type: 'lines', lines: text });
  });
  let taken = 0;
  parentPort?.on('message', (batch: ByteBatch) => {
    const length = batch.bytes.byteLength;
    live.take(batch);
    Atomics.sub(waiting, 0, length);
    taken += length;
    if (taken < bytesBetweenReturns) return;
    taken = 0;
    returnHeap();
  });
  post({ type: 'ready', url: page?.url });
} catch (error) {
  const code = error instanceof ParityError ? error.code : 'internal';
  post({ type: 'failed', code, message: error instanceof Error ? error.message : String(error) });
}

/** The relay goes first: on Linux a thread has a priority of its own. */
function giveWay(): void {
  try {
    const [, thread] = /task\/(\d+)$/.exec(readlinkSync('/proc/thread-self')) ?? [];
    if (thread !== undefined) setPriority(Number(thread), constants.priority.PRIORITY_LOW);
  } catch {
    // Elsewhere, or where that is not allowed, all threads have one priority.
  }
}
