import { isLastEvent } from '../http/upstream-events.ts';

/**
 * Returns the type of an event that ends a response, and undefined for any other message. `head` is the start of the message:
 * no event is parsed on its way.
 */
export function lastEventOf(head: string): string | undefined {
  if (!head.startsWith(typeKey)) return undefined;
  const end = head.indexOf('"', typeKey.length);
  const type = head.slice(typeKey.length, end);
  return end !== -1 && isLastEvent(type) ? type : undefined;
}

const typeKey = '{"type":"';

/** Whether a message in a chunk may be such an event. Nearly all others can be excluded by one letter of their type. */
export function mayBeLastEvent(chunk: Buffer, start: number, length: number): boolean {
  return length < 19 || chunk[start + 9] !== letter.r || lastEventLetters[chunk[start + 18] ?? 0] === 1;
}

const letter = { r: 0x72 } as const;

/** 1 for the first letters after `{"type":"response.`: completed, incomplete, failed. */
const lastEventLetters = new Uint8Array(256);
for (const first of 'cif') lastEventLetters[first.charCodeAt(0)] = 1;
