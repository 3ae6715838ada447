import { setTimeout as delay } from 'node:timers/promises';
import { type JsonNode, stringAt } from '../../wire/json.ts';
import type { GroupOptions, GroupRun } from '../process-group.ts';
import { AppServer, type AppServerNotification } from './app-server.ts';
import type { TaskStep } from './task.ts';

export type StepsOptions = Pick<GroupOptions, 'cwd' | 'env' | 'signal'> & {
  /** Starts the client as a server, with its configuration. */
  readonly command: readonly string[];
  /** Milliseconds that all steps together may take. */
  readonly timeoutMs: number;
  readonly steps: readonly TaskStep[];
};

/** A step within one process. */
type SessionStep = Exclude<TaskStep, { do: 'resume' }>;

/**
 * Who we say we are. It shows as the originator, and at both ends of the user agent, where `codex exec` says
 * `codex_exec` (measured: codex 0.169.0, scenario second-turn).
 */
const clientInfo = { name: 'codex-parity', title: null, version: '1' };

/** What `codex exec` has by itself. */
const permissions = { approvalPolicy: 'never', sandbox: 'read-only' };

/**
 * As in `codex exec`, a person speaks. Else there is no `thread_source` in the turn metadata; what remains without is
 * the `turn_trigger` "exec" (measured: codex 0.169.0, second-turn against default). Versions that do not know it ignore
 * it. The thread is kept on disk to be resumed, which gives the model the goal tools from 0.133.0 on.
 */
const newThread = { ...permissions, threadSource: 'user' };

/**
 * Milliseconds in which the client comes to rest after each step, so that it sees what the backend does behind a turn,
 * such as a close.
 */
const pause = 500;

/**
 * Plays steps in one thread, each when the one before has ended, in one process more than there are resumes. It ends
 * like a run of `codex exec`: `stdout` is what the model said last; where a turn fails it is the last one, the exit
 * code is 1, and the last line of `stderr` says why.
 *
 * @throws ParityError `client-failed` where the client refuses a step; the spawn error when it cannot be started.
 */
export async function playSteps(run: StepsOptions): Promise<GroupRun> {
  const deadline = Date.now() + run.timeoutMs;
  let thread: string | undefined;
  let last: GroupRun = { ended: 'exit', exitCode: 0, stdout: '', stderr: '' };
  for (const acts of betweenResumes(run.steps)) {
    const session = new AppServerSession({ ...run, timeoutMs: Math.max(1, deadline - Date.now()) });
    last = await session.play(acts, thread);
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
  #said = '';

  constructor({ command, cwd, env, signal, timeoutMs }: StepsOptions) {
    const options = { cwd, env, timeoutMs, ...(signal === undefined ? {} : { signal }) };
    this.#server = new AppServer(command, options, (notification) => this.#heard(notification));
  }

  /** The id of the thread; empty before it plays. */
  get thread(): string {
    return this.#thread;
  }

  /** Plays in a new thread, or in one that an earlier process has left. */
  async play(acts: readonly SessionStep[], thread: string | undefined): Promise<GroupRun> {
    let failure: string | undefined = 'it ended before its steps did';
    const playing = async () => {
      await this.#open(thread);
      failure = await this.#playAll(acts);
    };
    try {
      await Promise.race([playing(), this.#server.ended]);
    } finally {
      await this.#server.stop();
    }
    const run = { ...(await this.#server.ended), stdout: this.#said };
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

  /** Undefined where each step ended as it should; what kept one from it otherwise. */
  async #playAll(acts: readonly SessionStep[]): Promise<string | undefined> {
    for (const act of acts) {
      const ended = this.#next('turn/completed');
      await this.#begin(act);
      const turn = await ended;
      await delay(pause);
      const status = stringAt(turn, 'turn', 'status');
      const wanted = act.do === 'turn' && act.during === 'interrupt' ? 'interrupted' : 'completed';
      if (status !== wanted) return stringAt(turn, 'turn', 'error', 'message') ?? `a turn ended ${status}`;
    }
    return undefined;
  }

  async #begin(act: SessionStep): Promise<void> {
    const threadId = this.#thread;
    if (act.do === 'compact') {
      await this.#server.call('thread/compact/start', { threadId });
      return;
    }
    if (act.do === 'review') {
      const target = { type: 'custom', instructions: act.instructions };
      await this.#server.call('review/start', { threadId, target });
      return;
    }
    const { prompt, model, effort, tier: serviceTier, during } = act;
    const firstWords = Promise.race([this.#next('item/agentMessage/delta'), this.#next('turn/completed')]);
    const started = await this.#server.call('turn/start', {
      threadId,
      input: said(prompt),
      model,
      effort,
      serviceTier,
    });
    if (during === undefined) return;
    await firstWords;
    const turnId = stringAt(started, 'turn', 'id');
    if (during === 'interrupt') await this.#server.call('turn/interrupt', { threadId, turnId });
    else
      await this.#server.call('turn/steer', { threadId, expectedTurnId: turnId, input: said(during.steer) });
  }

  /** The next notification of that method about the thread, from now on. */
  #next(method: string): Promise<JsonNode | undefined> {
    return new Promise((resolve) => this.#waiting.push({ method, resolve }));
  }

  #heard({ method, params }: AppServerNotification): void {
    if (stringAt(params, 'threadId') !== this.#thread) return;
    if (method === 'item/completed') this.#said = stringAt(params, 'item', 'text') ?? this.#said;
    const met = this.#waiting.filter((one) => one.method === method);
    this.#waiting = this.#waiting.filter((one) => one.method !== method);
    for (const { resolve } of met) resolve(params);
  }
}

function said(text: string): object[] {
  return [{ type: 'text', text, text_elements: [] }];
}
