import {
  itemsOf,
  type JsonNode,
  type JsonObject,
  jsonString,
  mapChildren,
  member,
  printJson,
  stringAt,
  toNode,
  tryParseJson,
} from '../../wire/json.ts';
import { type ApiError, invalidRequest } from '../http/errors.ts';
import { indexAt, isLastEvent, readEvent, type UpstreamEvent } from '../http/upstream-events.ts';
import type { EventHandler } from './upstream-connection.ts';

/** The most stop sequences of a request, as in OpenAI's chat API, and the most UTF-16 code units of each. */
const mostSequences = 4;
const longestSequence = 1024;

/** The most UTF-16 code units of JSON for them: each escaped, with quotes and a comma. */
const longestStop = 2 + mostSequences * (6 * longestSequence + 3);

/**
 * Reads the member `stop` of a request: the texts at which the output ends. Empty texts have no effect. Throws ApiError if
 * it is invalid.
 */
export function readStop(stop: string | undefined): readonly string[] {
  if (stop === undefined) return [];
  if (stop.length > longestStop) throw invalidStop();
  const node = tryParseJson(stop)?.node;
  if (node?.kind === 'literal' && node.value === null) return [];
  const items = node?.kind === 'array' ? node.items : [node];
  const sequences = items.map((item) => {
    if (item?.kind === 'string' && item.value.length <= longestSequence) return item.value;
    throw invalidStop();
  });
  if (sequences.length > mostSequences) throw invalidStop();
  return sequences.filter((sequence) => sequence !== '');
}

function invalidStop(): ApiError {
  const message = `'stop' must be a string or an array of up to ${mostSequences} strings, of up to ${longestSequence} characters each.`;
  return invalidRequest(message, 'stop', 'invalid_value');
}

/** As in TurnOptions. */
type EventReceiver = { readonly onEvent: EventHandler; readonly discardEvents?: () => boolean };

/**
 * Ends the text that a client receives at the first stop sequence: the backend refuses the member `stop` (reported). The
 * backend's response still runs to its end, so that its connection can be used again.
 */
export function stopAt(sequences: readonly string[], { onEvent, discardEvents }: EventReceiver) {
  let response = new StoppedResponse(sequences);
  let last: string | undefined;
  const handlers: EventReceiver = {
    onEvent: (_, text) => {
      const event = readEvent(text);
      let room: Promise<void> | undefined;
      for (const sent of event === undefined ? [] : response.take(event)) {
        last = printJson(sent);
        room = onEvent(stringAt(sent, 'type') ?? '', last);
      }
      return room;
    },
    discardEvents: () => {
      if (discardEvents?.() !== true) return false;
      response = new StoppedResponse(sequences);
      return true;
    },
  };
  /** `last`: the last event, as it was sent. */
  return { handlers, last: () => last };
}

type TextPart = { readonly output: number; readonly content: number };

/** The events of one response, up to the first stop sequence in its text. */
class StoppedResponse {
  readonly #sequences: readonly string[];
  /** The parts whose text is arriving, and their last delta. */
  readonly #open = new Map<string, TextPart & { readonly search: StopSearch; delta: JsonNode }>();
  #stoppedIn: TextPart | undefined;
  #count = 0;

  constructor(sequences: readonly string[]) {
    this.#sequences = sequences;
  }

  /** Returns the events to send for an event of the backend. */
  take(event: UpstreamEvent): JsonNode[] {
    return this.#replace(event).map((sent) => {
      // Events are removed and added, and clients may count them.
      if (member(sent, 'sequence_number') === undefined) return sent;
      this.#count += 1;
      return withMembers(sent, { sequence_number: toNode(this.#count - 1) });
    });
  }

  #replace({ type, node }: UpstreamEvent): JsonNode[] {
    if (isLastEvent(type)) return [...this.#rest(() => true), this.#last(type, node)];
    const output = indexAt(node, 'output_index');
    if (output === undefined) return [node];
    const part = { output, content: indexAt(node, 'content_index') ?? 0 };
    if (this.#isAfterStop(type, part)) return [];
    switch (type) {
      case 'response.output_text.delta':
        return this.#delta(node, part);
      case 'response.output_text.done':
      case 'response.content_part.done': {
        const rest = this.#rest((open) => open.output === output && open.content === part.content);
        const changed = mapChildren(node, (child, key) => {
          if (key === 'part') return this.#cutPart(child, part);
          return key === 'text' ? this.#cutText(child, part) : child;
        });
        return [...rest, changed];
      }
      case 'response.output_item.done': {
        const rest = this.#rest((open) => open.output === output);
        return [
          ...rest,
          mapChildren(node, (child, key) => (key === 'item' ? this.#cutItem(child, output) : child)),
        ];
      }
      default:
        return [node];
    }
  }

  #isAfterStop(type: string, { output, content }: TextPart): boolean {
    const stop = this.#stoppedIn;
    if (stop === undefined || output < stop.output) return false;
    if (output > stop.output || content > stop.content) return true;
    return content === stop.content && /\.(?:delta|annotation\.added)$/.test(type);
  }

  #delta(node: JsonNode, part: TextPart): JsonNode[] {
    const key = `${part.output}/${part.content}`;
    const open = this.#open.get(key) ?? { ...part, search: new StopSearch(this.#sequences), delta: node };
    open.delta = node;
    this.#open.set(key, open);
    const text = open.search.push(stringAt(node, 'delta') ?? '');
    if (open.search.stopped) {
      this.#stoppedIn = part;
      this.#open.delete(key);
    }
    return text === '' ? [] : [withMembers(node, { delta: jsonString(text) })];
  }

  /** Ends parts. Returns deltas with what was kept back of them as the possible beginning of a stop sequence. */
  #rest(isEnded: (part: TextPart) => boolean): JsonNode[] {
    const ended = [...this.#open].filter(([, part]) => isEnded(part));
    for (const [key] of ended) this.#open.delete(key);
    return ended.flatMap(([, { search, delta }]) =>
      search.kept === '' ? [] : [withMembers(delta, { delta: jsonString(search.kept) })],
    );
  }

  #cutText(text: JsonNode, part: TextPart): JsonNode {
    if (text.kind !== 'string') return text;
    const search = new StopSearch(this.#sequences);
    const before = search.push(text.value);
    if (!search.stopped) return text;
    this.#stoppedIn = part;
    return jsonString(before);
  }

  /** Cuts a part with text, and removes the annotations of what was cut off. */
  #cutPart(node: JsonNode, part: TextPart): JsonNode {
    if (stringAt(node, 'type') !== 'output_text') return node;
    const changed = mapChildren(node, (child, key) => (key === 'text' ? this.#cutText(child, part) : child));
    const annotations = member(changed, 'annotations');
    if (changed === node || annotations?.kind !== 'array') return changed;
    const length = stringAt(changed, 'text')?.length ?? 0;
    const items = annotations.items.filter((annotation) => (indexAt(annotation, 'end_index') ?? 0) <= length);
    return withMembers(changed, { annotations: { kind: 'array', items } });
  }

  #cutItem(item: JsonNode, output: number): JsonNode {
    if (stringAt(item, 'type') !== 'message') return item;
    const parts: JsonNode[] = [];
    for (const [content, part] of itemsOf(member(item, 'content')).entries()) {
      const cut = this.#cutPart(part, { output, content });
      parts.push(cut);
      if (cut !== part)
        return withMembers(item, { status: completed, content: { kind: 'array', items: parts } });
    }
    return item;
  }

  /** The last event. A response that has stopped is complete, whatever else the backend says about its end. */
  #last(type: string, node: JsonNode): JsonNode {
    const response = member(node, 'response');
    if (response === undefined || !/\.(?:completed|incomplete)$/.test(type)) return node;
    const output = member(response, 'output');
    const items: JsonNode[] = [];
    for (const [index, item] of itemsOf(output).entries()) {
      const cut = this.#cutItem(item, index);
      items.push(cut);
      if (cut !== item) break;
    }
    if (this.#stoppedIn === undefined) return node;
    const complete = withMembers(response, {
      status: completed,
      incomplete_details: toNode(null),
      output: { kind: 'array', items },
    });
    return withMembers(node, { type: jsonString('response.completed'), response: complete });
  }
}

const completed = jsonString('completed');

/** Replaces those members that an object has. */
function withMembers(node: JsonNode, members: Readonly<Record<string, JsonNode>>): JsonNode | JsonObject {
  return mapChildren(node, (child, key) => members[key ?? ''] ?? child);
}

/** A sequence, and for each of its prefixes the length of the longest prefix that it ends with (Knuth, Morris and Pratt). */
type SearchedSequence = { readonly text: string; readonly overlaps: readonly number[]; matched: number };

/** Searches text that arrives in pieces for stop sequences, in linear time. */
class StopSearch {
  readonly #sequences: readonly SearchedSequence[];
  /** The end of the text so far that may be the beginning of a sequence. */
  kept = '';
  stopped = false;

  constructor(sequences: readonly string[]) {
    this.#sequences = sequences.map((text) => ({ text, overlaps: overlapsOf(text), matched: 0 }));
  }

  /** Adds text. Returns the text up to the first sequence, but for what is kept. */
  push(text: string): string {
    const all = this.kept + text;
    for (let at = this.kept.length; at < all.length; at += 1) {
      let length = 0;
      for (const sequence of this.#sequences) {
        advance(sequence, all[at]);
        if (sequence.matched === sequence.text.length) length = Math.max(length, sequence.matched);
      }
      if (length === 0) continue;
      this.kept = '';
      this.stopped = true;
      return all.slice(0, at + 1 - length);
    }
    const end = all.length - Math.max(0, ...this.#sequences.map(({ matched }) => matched));
    this.kept = all.slice(end);
    return all.slice(0, end);
  }
}

function advance(sequence: SearchedSequence, unit: string | undefined): void {
  const { text, overlaps } = sequence;
  while (sequence.matched > 0 && text[sequence.matched] !== unit) {
    sequence.matched = overlaps[sequence.matched - 1] ?? 0;
  }
  if (text[sequence.matched] === unit) sequence.matched += 1;
}

function overlapsOf(text: string): number[] {
  const overlaps = [0];
  for (let at = 1, length = 0; at < text.length; at += 1) {
    while (length > 0 && text[at] !== text[length]) length = overlaps[length - 1] ?? 0;
    if (text[at] === text[length]) length += 1;
    overlaps.push(length);
  }
  return overlaps;
}
