import { shapeLoader } from './kept-shapes.ts';
import { type RunningSubject, type SubjectStart, startSubject } from './start-subject.ts';
import type { Subject } from './subject.ts';

/** Starts a subject for the scenarios of a run: for each of them, or once for all. */
export class SubjectHost {
  readonly subject: Subject;
  /** Whether a subject that started once has renewed its token, or its client did: it keeps the new one. */
  renewed = false;
  #running: Promise<RunningSubject> | undefined;
  readonly #load = shapeLoader();

  constructor(subject: Subject) {
    this.subject = subject;
  }

  get startsOnce(): boolean {
    return this.subject.kind === 'command' && this.subject.once;
  }

  /** Throws like `startSubject`. A subject that has ended is started again. */
  async start(options: SubjectStart): Promise<RunningSubject> {
    if (!this.startsOnce) return startSubject(this.subject, options, this.#load);
    this.#running ??= startSubject(this.subject, options, this.#load);
    const forget = () => {
      this.#running = undefined;
    };
    this.#running.then(({ exited }) => exited).catch(forget);
    return { ...(await this.#running), stop: async () => {} };
  }

  /** Stops the subject if it runs. */
  async close(): Promise<void> {
    const running = await this.#running?.catch(() => undefined);
    await running?.stop();
  }
}
