import { ParityError } from '../errors.ts';
import type { Exchange } from '../golden/dialogue.ts';
import { Filler } from '../golden/fill.ts';
import type { Golden } from '../golden/golden.ts';
import { Matcher } from '../golden/match.ts';
import type { HeaderField } from '../trace/event.ts';
import type { HeaderList } from '../wire/headers.ts';
import { type JsonNode, printJson, stringAt, tryParseJson } from '../wire/json.ts';
import { RawWebSocket } from './raw-websocket.ts';

/** How a replay went: to its end, or to the point where the subject did not play along. */
export type ReplayOutcome =
  | { readonly finished: true }
  | { readonly finished: false; readonly reason: string };

/**
 * Plays the client's side of a golden against a subject (the base URL of its responses API), with fresh identifiers, clocks and a made-up sign-in; the
 * sealed texts travel as their seals. After each message it waits for what the backend answered in the recording.
 */
export async function replay(golden: Golden, subject: URL, signal: AbortSignal): Promise<ReplayOutcome> {
  const filler = new Filler(golden.variables, [['authority', subject.host]]);
  for (const exchange of golden.exchanges) {
    const outcome = await replayExchange(golden, exchange, filler, subject, signal);
    if (!outcome.finished) return outcome;
  }
  return { finished: true };
}

async function replayExchange(
  golden: Golden,
  { request, steps }: Exchange,
  filler: Filler,
  subject: URL,
  signal: AbortSignal,
): Promise<ReplayOutcome> {
  const target = filler.node(request.target);
  if (request.method !== 'GET' || target.kind !== 'string') {
    throw new ParityError('internal', `${golden.scenario}: only websocket exchanges can be replayed`);
  }
  const socket = new RawWebSocket(subject.hostname, Number(subject.port || 80));
  const abort = () => socket.destroy();
  signal.addEventListener('abort', abort, { once: true });
  try {
    const response = await socket.open(below(subject, target.value), fillHeaders(request.headers, filler));
    if (response === undefined)
      return stopped('the subject ended the connection instead of answering the upgrade');
    if (response.status !== 101) return stopped(`the subject answered the upgrade with ${response.status}`);
    for (const step of steps) {
      if (step.type !== 'message' || step.content.kind !== 'json') continue;
      if (step.from === 'client') socket.send(printJson(filler.node(step.content.json)));
      else {
        const failure = await awaitMessage(golden, step.content.json, socket, filler);
        if (failure !== undefined) return stopped(failure);
      }
    }
    return { finished: true };
  } finally {
    signal.removeEventListener('abort', abort);
    socket.destroy();
  }
}

/** Waits for a message of the pattern's type, and takes from it the values the client goes on with (response ids). */
async function awaitMessage(
  golden: Golden,
  pattern: JsonNode,
  socket: RawWebSocket,
  filler: Filler,
): Promise<string | undefined> {
  const type = stringAt(pattern, 'type');
  for (;;) {
    const text = await socket.next();
    if (text === undefined) return `the connection ended while ${type ?? 'a message'} was awaited`;
    const message = tryParseJson(text)?.node;
    if (message === undefined || stringAt(message, 'type') !== type) continue;
    const reader = new Matcher(golden.variables, {
      mismatch: () => {},
      occurrence: (variable, value) => filler.set(variable, value),
    });
    reader.node(pattern, message, { exchange: 0, part: 'backend', path: [] });
    return undefined;
  }
}

function fillHeaders(headers: readonly HeaderField[], filler: Filler): HeaderList {
  return headers.map(([name, value]) => {
    const filled = filler.node(value);
    return [name, filled.kind === 'string' ? filled.value : printJson(filled)];
  });
}

/** The target of the golden under a subject's own path: the official `/backend-api/codex` becomes the subject's. */
function below(subject: URL, target: string): string {
  return subject.pathname.replace(/\/$/, '') + target.slice(target.lastIndexOf('/responses'));
}

function stopped(reason: string): ReplayOutcome {
  return { finished: false, reason };
}
