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
    return joined(this.#write(node, true).parts);
  }

  /** Any text. */
  text(text: string): SharedText {
    return text.length < minimumLength ? [text] : [this.#index(text, () => [text])];
  }

  #write(node: JsonNode, isRoot: boolean): WrittenNode {
    if (node.kind !== 'array' && node.kind !== 'object') {
      const text = printJson(node);
      return { text, parts: this.text(text) };
    }
    const [open, close] = node.kind === 'array' ? ['[', ']'] : ['{', '}'];
    const written: WrittenNode[] =
      node.kind === 'array'
        ? node.items.map((item) => this.#write(item, false))
        : node.members.map(([key, value, spelling]) => {
            const { text, parts } = this.#write(value, false);
            const name = `${spelling ?? JSON.stringify(key)}:`;
            return { text: name + text, parts: [name, ...parts] };
          });
    const text = `${open}${written.map((one) => one.text).join(',')}${close}`;
    if (text.length < minimumLength) return { text, parts: [text] };
    const inner = written.flatMap(({ parts }, at) => (at === 0 ? parts : [',', ...parts]));
    const parts = [open, ...inner, close];
    return { text, parts: isRoot ? parts : [this.#index(text, () => joined(parts))] };
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

/** The text of a node, whole and in parts. */
type WrittenNode = { readonly text: string; readonly parts: SharedText };

function joined(parts: readonly (string | number)[]): SharedText {
  const list: (string | number)[] = [];
  for (const part of parts) {
    const last = list.at(-1);
    if (typeof part === 'string' && typeof last === 'string') list[list.length - 1] = last + part;
    else if (part !== '') list.push(part);
  }
  return list;
}
