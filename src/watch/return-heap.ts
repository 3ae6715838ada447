import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects garbage and returns unused heap of this thread to the system. It pauses the thread for about 100 ms. */
export function returnHeap(): void {
  setFlagsFromString('--expose-gc');
  const gc: (how: object) => void = runInNewContext('gc');
  gc({ type: 'major', flavor: 'last-resort' });
}
