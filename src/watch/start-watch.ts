import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, ParityError } from '../errors.ts';
import { readGolden } from '../golden/file.ts';
import { fileNamed, type GoldenFolders } from '../golden/select.ts';
import type { RelayListener } from '../tap/relay-bytes.ts';
import type { Observe } from '../trace/observation.ts';
import type { WatchState } from '../ui/watch-model.ts';
import { type ByteBatch, ByteQueue } from './byte-queue.ts';

/** What the thread of a live view gets. */
export type WatchWorkerData = {
  readonly goldens: GoldenFolders;
  readonly golden: string | undefined;
  /** The port of the page; undefined for none. */
  readonly pagePort: number | undefined;
  readonly about: Pick<WatchState, 'listen' | 'upstream'>;
  readonly colours: boolean;
  readonly waiting: Int32Array;
};

/** What the thread of a live view sends. */
export type WorkerMessage =
  | { readonly type: 'ready'; readonly url: string | undefined }
  | { readonly type: 'lines'; readonly lines: readonly string[] }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string };

type WatchOptions = Omit<WatchWorkerData, 'waiting'> & {
  readonly onLine: (line: string) => void;
  /** Gets a sentence if the view has to stop. The relay goes on. */
  readonly onProblem: (problem: string) => void;
};

/** A live view, for taps that pass their bytes to it. */
export type RunningWatch = {
  /** The address of the page; undefined if there is none. */
  readonly url: string | undefined;
  readonly observe: Observe;
  readonly listen: (connection: number) => RelayListener;
  readonly close: () => Promise<void>;
};

/**
 * The most memory of the thread, in megabytes: far above the 25 MB that it keeps at most, for messages of 16 MB. What it reads is
 * garbage soon, and a small young generation keeps that little.
 */
const resourceLimits = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 3 };

/**
 * Starts a live view in a thread of its own. The relay is not slowed down by it, and outlives it. Throws ParityError
 * `port-in-use`, or one about the golden.
 */
export async function startWatch({ onLine, onProblem, ...options }: WatchOptions): Promise<RunningWatch> {
  if (options.golden !== undefined) readGolden(fileNamed(options.goldens, options.golden));
  const waiting = new Int32Array(new SharedArrayBuffer(4));
  const workerData: WatchWorkerData = { ...options, waiting };
  // The name of this file has the ending that the file of the thread has.
  const file = join(import.meta.dirname, `watch-worker${extname(import.meta.filename)}`);
  const worker = new Worker(file, { workerData, resourceLimits });
  let isClosed = false;
  const stop = (reason: string) => {
    if (isClosed) return;
    isClosed = true;
    onProblem(
      `the live view stopped: ${reason}. Connections are still passed on; start it again to see them`,
    );
  };
  const url = await new Promise<string | undefined>((resolve, reject) => {
    worker.on('message', (message: WorkerMessage) => {
      if (message.type === 'lines') message.lines.forEach(onLine);
      else if (message.type === 'ready') resolve(message.url);
      else reject(new ParityError(message.code, message.message));
    });
    worker.on('error', (error: Error) => {
      reject(error);
      stop(error.message);
    });
    worker.on('exit', () => stop('its thread ended'));
  }).catch(async (error: unknown) => {
    isClosed = true;
    await worker.terminate();
    throw error;
  });
  const post = (batch: ByteBatch) => {
    if (!isClosed) worker.postMessage(batch, [batch.bytes]);
  };
  const { observe, listen } = new ByteQueue({ post, waiting });
  return {
    ...{ url, observe, listen },
    close: async () => {
      isClosed = true;
      await worker.terminate();
    },
  };
}
