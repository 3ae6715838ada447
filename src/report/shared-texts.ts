import type { SharedText } from '../ui/model.ts';
import { type JsonNode, printJson } from '../wire/json.ts';

/** Shorter texts, in characters, are written where they are. */
const minimumLength = 256;

/**
 * Writes JSON texts in parts, of which each large one is kept once: requests repeat tools and history, and the two sides
 * of a subject repeat each other.
 */
export class SharedTexts {
  readonly table: SharedText[] = [];
  /** About how many characters the table has. */
  size = 0;
  readonly #indices = new Map<string, number>();

  /** The JSON text of a node. */
  json(node: JsonNode): SharedText {
    return joined(this.#parts(node, true));
  }

  /** Any text. */
  text(text: string): SharedText {
    return text.length < minimumLength ? [text] : [this.#index(text, () => [text])];
  }

  #parts(node: JsonNode, isRoot: boolean): (string | number)[] {
    if (node.kind !== 'array' && node.kind !== 'object') return [...this.text(printJson(node))];
    const text = printJson(node);
    if (text.length < minimumLength) return [text];
    const parts = () => this.#inner(node);
    return isRoot ? parts() : [this.#index(text, () => joined(parts()))];
  }

  #inner(node: Extract<JsonNode, { kind: 'array' | 'object' }>): (string | number)[] {
    if (node.kind === 'array') {
      const items = node.items.flatMap((item, at) => [at === 0 ? '' : ',', ...this.#parts(item, false)]);
      return ['[', ...items, ']'];
    }
    const members = node.members.flatMap(([key, value, spelling], at) => [
      `${at === 0 ? '' : ','}${spelling ?? JSON.stringify(key)}:`,
      ...this.#parts(value, false),
    ]);
    return ['{', ...members, '}'];
  }

  #index(text: string, parts: () => SharedText): number {
    const known = this.#indices.get(text);
    if (known !== undefined) return known;
    const written = parts();
    const index = this.table.push(written) - 1;
    this.size += JSON.stringify(written).length;
    this.#indices.set(text, index);
    return index;
  }
}

function joined(parts: readonly (string | number)[]): SharedText {
  const list: (string | number)[] = [];
  for (const part of parts) {
    const last = list.at(-1);
    if (typeof part === 'string' && typeof last === 'string') list[list.length - 1] = last + part;
    else if (part !== '') list.push(part);
  }
  return list;
}
