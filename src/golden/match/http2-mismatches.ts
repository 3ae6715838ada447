import type { SealedHttp2Request } from '../../trace/trace-event.ts';
import { jsonString } from '../../wire/json.ts';
import type { ComparedValue, Mismatch, Place } from './mismatch.ts';

/** What a client chooses over HTTP/2, by its place in a handshake. */
export const http2Places = {
  settings: 'HTTP/2 settings',
  window: 'HTTP/2 window',
  pseudo: 'HTTP/2 pseudo-headers',
  priority: 'HTTP/2 priority',
} as const;

type Choice = keyof typeof http2Places;

/** The choices of a client over HTTP/2 that differ from those of a golden, each as a whole. */
export function http2Mismatches(
  expected: SealedHttp2Request,
  actual: SealedHttp2Request,
  place: Place,
): Mismatch[] {
  const [before, after] = [choicesOf(expected), choicesOf(actual)];
  const choices: Choice[] = ['settings', 'window', 'pseudo', 'priority'];
  return choices
    .filter((choice) => before[choice] !== after[choice])
    .map((choice) => ({
      kind: 'changed',
      places: [{ ...place, path: [http2Places[choice]] }],
      expected: value(before[choice]),
      actual: value(after[choice]),
    }));
}

/** Each choice in words. */
export function choicesOf({
  settings,
  window,
  pseudo,
  priority,
}: SealedHttp2Request): Readonly<Record<Choice, string>> {
  return {
    settings: settings.map(([name, number]) => `${name}=${number}`).join(', ') || 'none',
    window: `+${window}`,
    pseudo: pseudo.join(', '),
    priority:
      priority === undefined
        ? 'none'
        : `weight ${priority.weight}, ${priority.exclusive ? 'exclusively ' : ''}on stream ${priority.dependsOn}`,
  };
}

function value(text: string): ComparedValue {
  return { type: 'json', node: jsonString(text) };
}
