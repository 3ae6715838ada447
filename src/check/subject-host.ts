import type { readGolden } from '../golden/file.ts';
import { shapeLoader } from './kept-shapes.ts';
import { type RunningSubject, type SubjectStart, startSubject } from './start-subject.ts';
import type { Subject } from './subject.ts';

/** Starts a subject for the scenarios of a run: for each of them, or once for all. */
export class SubjectHost {
  readonly subject: Subject;
  /** Whether a subject that started once has renewed its token, or its client did: it keeps the new one. */
  renewed = false;
  #running: Promise<RunningSubject> | undefined;
  readonly #load: ReturnType<typeof shapeLoader>;

  /** `read` reads goldens for the bundled proxy. */
  constructor(subject: Subject, read?: typeof readGolden) {
    this.subject = subject;
    this.#load = shapeLoader(read);
  }

  get startsOnce(): boolean {
    return this.subject.kind === 'command' && this.subject.once;
  }

  /**
   * Throws like `startSubject`. A subject that has ended is started again. One that runs already is set up again, so that a
   * scenario does not depend on what happened to the account before.
   */
  async start(options: SubjectStart): Promise<RunningSubject> {
    if (!this.startsOnce) return startSubject(this.subject, options, this.#load);
    const known = await this.#running;
    if (known !== undefined) {
      await Promise.race([known.exited, known.setUpAgain?.(options.signal)]);
      return { ...known, stop: async () => {} };
    }
    const starting = this.#begin(options);
    this.#running = starting;
    return { ...(await starting), stop: async () => {} };
  }

  /** Starts the subject, and forgets it when it ends. */
  async #begin(options: SubjectStart): Promise<RunningSubject> {
    const forget = () => {
      this.#running = undefined;
    };
    const running = await startSubject(this.subject, options, this.#load).catch((error: unknown) => {
      forget();
      throw error;
    });
    running.exited.catch(forget);
    return running;
  }

  /** Stops the subject if it runs. */
  async close(): Promise<void> {
    const running = await this.#running?.catch(() => undefined);
    await running?.stop();
  }
}
