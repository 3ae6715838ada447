import { setTimeout as delay } from 'node:timers/promises';
import { type JsonNode, stringAt } from '../../wire/json.ts';
import type { GroupOptions, GroupRun } from '../process-group.ts';
import { AppServer, type AppServerNotification } from './app-server.ts';
import type { TaskStep } from './task.ts';

export type StepsOptions = Pick<GroupOptions, 'cwd' | 'env' | 'signal'> & {
  /** The command that starts the app server, with its configuration. */
  readonly command: readonly string[];
  /** Milliseconds for all steps together. */
  readonly timeoutMs: number;
  readonly steps: readonly TaskStep[];
};

/** A step that needs no new process. */
type SessionStep = Exclude<TaskStep, { do: 'resume' }>;

/**
 * The client sends this name as the originator and at both ends of the user agent, where `codex exec` has `codex_exec`
 * (measured: codex 0.169.0, scenario second-turn).
 */
const clientInfo = { name: 'codex-parity', title: null, version: '1' };

/** The permissions of `codex exec`. */
const permissions = { approvalPolicy: 'never', sandbox: 'read-only' };

/**
 * `threadSource` makes the client send `thread_source` in the turn metadata, as `codex exec` does. The `turn_trigger`
 * "exec" is still missing (measured: codex 0.169.0, second-turn against default). Older versions ignore it. The thread
 * is stored on disk for a resume, so since 0.133.0 the model has the goal tools.
 */
const newThread = { ...permissions, threadSource: 'user' };

/** Milliseconds after each step, in which the client can notice what follows a turn, such as a close of the backend. */
const pause = 500;

/**
 * Plays steps in one thread, one after the other. Each resume starts a new process. The result is like that of
 * `codex exec`: `stdout` is the last message of the model. After a failed turn no more steps are played, the exit code
 * is 1, and the last line of `stderr` has the reason.
 *
 * @throws ParityError `client-failed` when the client refuses a step; the spawn error when it cannot be started.
 */
export async function playSteps(run: StepsOptions): Promise<GroupRun> {
  const deadline = Date.now() + run.timeoutMs;
  let thread: string | undefined;
  let last: GroupRun = { ended: 'exit', exitCode: 0, stdout: '', stderr: '' };
  for (const steps of betweenResumes(run.steps)) {
    const session = new AppServerSession({ ...run, timeoutMs: Math.max(1, deadline - Date.now()) });
    last = await session.play(steps, thread);
    if (last.exitCode !== 0) break;
    thread = session.thread;
  }
  return last;
}

function betweenResumes(steps: readonly TaskStep[]): SessionStep[][] {
  const parts: SessionStep[][] = [[]];
  for (const step of steps) {
    if (step.do === 'resume') parts.push([]);
    else parts.at(-1)?.push(step);
  }
  return parts;
}

/** One process of the client, with one thread in it. */
class AppServerSession {
  readonly #server: AppServer;
  #waiting: { readonly method: string; readonly resolve: (params: JsonNode | undefined) => void }[] = [];
  #thread = '';
  #lastMessage = '';

  constructor({ command, ...options }: StepsOptions) {
    this.#server = new AppServer(command, options, (notification) => this.#receive(notification));
  }

  /** The id of the thread; empty before `play`. */
  get thread(): string {
    return this.#thread;
  }

  /** Plays steps in a new thread, or in the thread of an earlier process. */
  async play(steps: readonly SessionStep[], thread: string | undefined): Promise<GroupRun> {
    let failure: string | undefined = 'the client ended before its steps';
    const playing = async () => {
      await this.#open(thread);
      failure = await this.#playAll(steps);
    };
    try {
      await Promise.race([playing(), this.#server.ended]);
    } finally {
      await this.#server.stop();
    }
    const run = { ...(await this.#server.ended), stdout: this.#lastMessage };
    if (failure === undefined || run.ended !== 'exit') return run;
    return { ...run, exitCode: 1, stderr: `${run.stderr}${failure}\n` };
  }

  async #open(thread: string | undefined): Promise<void> {
    await this.#server.call('initialize', { clientInfo });
    this.#server.notify('initialized');
    const opened =
      thread === undefined
        ? await this.#server.call('thread/start', newThread)
        : await this.#server.call('thread/resume', { threadId: thread, ...permissions });
    this.#thread = stringAt(opened, 'thread', 'id') ?? '';
  }

  /** Returns why a step did not end as expected; undefined when all did. */
  async #playAll(steps: readonly SessionStep[]): Promise<string | undefined> {
    for (const step of steps) {
      const ended = this.#next('turn/completed');
      await this.#begin(step);
      const turn = await ended;
      await delay(pause);
      const status = stringAt(turn, 'turn', 'status');
      const expected = step.do === 'turn' && step.during === 'interrupt' ? 'interrupted' : 'completed';
      if (status !== expected) return stringAt(turn, 'turn', 'error', 'message') ?? `a turn ended ${status}`;
    }
    return undefined;
  }

  async #begin(step: SessionStep): Promise<void> {
    const threadId = this.#thread;
    if (step.do === 'compact') {
      await this.#server.call('thread/compact/start', { threadId });
      return;
    }
    if (step.do === 'review') {
      const target = { type: 'custom', instructions: step.instructions };
      await this.#server.call('review/start', { threadId, target });
      return;
    }
    const { prompt, model, effort, tier: serviceTier, during } = step;
    const firstWords = Promise.race([this.#next('item/agentMessage/delta'), this.#next('turn/completed')]);
    const started = await this.#server.call('turn/start', {
      threadId,
      input: textInput(prompt),
      model,
      effort,
      serviceTier,
    });
    if (during === undefined) return;
    await firstWords;
    const turnId = stringAt(started, 'turn', 'id');
    if (during === 'interrupt') await this.#server.call('turn/interrupt', { threadId, turnId });
    else
      await this.#server.call('turn/steer', {
        threadId,
        expectedTurnId: turnId,
        input: textInput(during.steer),
      });
  }

  /** Resolves with the params of the next notification of a method about the thread. */
  #next(method: string): Promise<JsonNode | undefined> {
    return new Promise((resolve) => this.#waiting.push({ method, resolve }));
  }

  #receive({ method, params }: AppServerNotification): void {
    if (stringAt(params, 'threadId') !== this.#thread) return;
    if (method === 'item/completed')
      this.#lastMessage = stringAt(params, 'item', 'text') ?? this.#lastMessage;
    const met = this.#waiting.filter((waiting) => waiting.method === method);
    this.#waiting = this.#waiting.filter((waiting) => waiting.method !== method);
    for (const { resolve } of met) resolve(params);
  }
}

function textInput(text: string): object[] {
  return [{ type: 'text', text, text_elements: [] }];
}
