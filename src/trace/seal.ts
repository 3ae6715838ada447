import { createHash } from 'node:crypto';
import type { HeaderList } from '../wire/headers.ts';
import { isUuid4, isUuid7 } from '../wire/ids.ts';
import { type JsonMember, type JsonNode, jsonString, printJson, tryParseJson } from '../wire/json.ts';
import type { HeaderField } from './event.ts';
import { credentialPatterns, isContentKey, secretHeader, secretKey } from './secrets.ts';

/**
 * What stands in a trace where a secret or a text of others stood. Both are plain ASCII, so that they can travel in
 * a header again when a golden is replayed, and both seal to themselves.
 *
 *     <<secret KIND NUMBER [uuid4|uuid7]>>     the same number for the same value, counted per kind in one recording
 *     <<sealed [TAG] BYTES SHA256>>            a text of that many UTF-8 bytes; TAG where it began with `<TAG>`
 */
export const seals = /<<(?:secret|sealed) [^<>]*>>/;

export type SealerOptions = {
  /** Texts of our own, exactly as they travel: prompts and replies of the scenario. They stay readable. */
  readonly ownTexts?: Iterable<string>;
  /** Values known to be secret before the first byte, by kind: `{ account_id: ['acct-1'] }`. */
  readonly secrets?: Readonly<Record<string, readonly string[]>>;
};

/** Seals secrets and prose. One sealer serves one recording, so that equal secrets get equal numbers in all of it. */
export class Sealer {
  readonly #ownTexts: ReadonlySet<string>;
  readonly #numbers = new Map<string, Map<string, string>>();
  /** Secret values and their marks, longest first, so that a value inside another does not spoil it. */
  #known: (readonly [value: string, mark: string])[] = [];

  constructor(options: SealerOptions = {}) {
    this.#ownTexts = new Set(options.ownTexts);
    for (const [kind, values] of Object.entries(options.secrets ?? {})) {
      for (const value of values) this.#markOf(kind, value);
    }
  }

  headers(headers: HeaderList): HeaderField[] {
    return headers.map(([name, value]) => [name, this.#header(name, value)]);
  }

  /** A request target: secrets in its query are sealed, the path stays. */
  target(target: string): JsonNode {
    return jsonString(this.#secretsIn(target));
  }

  json(node: JsonNode): JsonNode {
    return this.#node('', node);
  }

  /** A text that is not JSON: an error page, an event stream's stray line. */
  text(text: string): JsonNode {
    return this.#string('text', jsonString(text));
  }

  #header(name: string, value: string): JsonNode {
    const kind = secretHeader(name);
    if (kind !== undefined && value !== '') {
      const scheme = /^(?:Bearer|Basic) /.exec(value)?.[0] ?? '';
      return jsonString(scheme + this.#markOf(kind, value.slice(scheme.length)));
    }
    const inner = value.startsWith('{') ? tryParseJson(value) : undefined;
    return jsonString(inner?.compact ? printJson(this.#node('', inner.node)) : this.#secretsIn(value));
  }

  #node(key: string, node: JsonNode): JsonNode {
    switch (node.kind) {
      case 'string':
        return this.#string(key, node);
      case 'array':
        return { kind: 'array', items: node.items.map((item) => this.#node(key, item)) };
      case 'object':
        return { kind: 'object', members: node.members.map((one) => this.#member(one)) };
      default:
        return node;
    }
  }

  #member([key, value]: JsonMember): JsonMember {
    const kind = secretKey(key);
    if (kind !== undefined) return [this.#key(key), this.#secretTree(kind, value)];
    return [this.#key(key), this.#node(key, value)];
  }

  /** Keys are facts of the protocol, except where a path or a text of the user became one. */
  #key(key: string): string {
    if (/^(?:\/[^/]+){2,}|^[A-Za-z]:[\\/]/.test(key)) return this.#markOf('path', key);
    return this.#isProse('', key) ? sealText(key) : this.#secretsIn(key);
  }

  #secretTree(kind: string, node: JsonNode): JsonNode {
    if (node.kind === 'string') return jsonString(this.#markOf(kind, node.value));
    if (node.kind === 'number') return jsonString(this.#markOf(kind, node.text));
    if (node.kind === 'array')
      return { kind: 'array', items: node.items.map((item) => this.#secretTree(kind, item)) };
    if (node.kind === 'object') {
      return {
        kind: 'object',
        members: node.members.map(([key, value]) => [this.#key(key), this.#secretTree(kind, value)]),
      };
    }
    return node;
  }

  #string(key: string, node: JsonNode & { kind: 'string' }): JsonNode {
    const { value } = node;
    if (this.#ownTexts.has(value)) return node;
    if (isContentKey(key) && this.#isProse(key, value)) return jsonString(sealText(value));
    const inner = /^[{[]/.test(value) ? tryParseJson(value) : undefined;
    if (inner?.compact) return jsonString(printJson(this.#node('', inner.node)));
    if (this.#isProse(key, value)) return jsonString(sealText(value));
    const safe = this.#secretsIn(value);
    return safe === value ? node : jsonString(safe);
  }

  /** Prose: what stands under a key that carries content, three words in a row, or more than 80 characters. */
  #isProse(key: string, text: string): boolean {
    if (text === '' || this.#ownTexts.has(text)) return false;
    const rest = text.split(seals).join('');
    return isContentKey(key) || rest.length > 80 || /\p{L}{2,} \p{L}{2,} \p{L}{2,}/u.test(rest);
  }

  #secretsIn(text: string): string {
    return text
      .split(new RegExp(`(${seals.source})`))
      .map((part) => (seals.test(part) ? part : this.#replaceSecrets(part)))
      .join('');
  }

  #replaceSecrets(text: string): string {
    let safe = text;
    for (const [value, mark] of this.#known) safe = safe.replaceAll(value, mark);
    for (const [kind, pattern] of credentialPatterns) {
      safe = safe.replace(pattern, (value) => this.#markOf(kind, value));
    }
    return safe;
  }

  #markOf(kind: string, value: string): string {
    if (value === '' || new RegExp(`^${seals.source}$`).test(value)) return value;
    const marks = this.#numbers.get(kind) ?? new Map<string, string>();
    this.#numbers.set(kind, marks);
    const existing = marks.get(value);
    if (existing !== undefined) return existing;
    const shape = isUuid4(value) ? ' uuid4' : isUuid7(value) ? ' uuid7' : '';
    const mark = `<<secret ${kind} ${marks.size + 1}${shape}>>`;
    marks.set(value, mark);
    // A very short secret, such as a plan's or a user's two letters, would be found in every other word.
    if (value.length >= 6) {
      this.#known = [...this.#known, [value, mark] as const].sort((a, b) => b[0].length - a[0].length);
    }
    return mark;
  }
}

/** The seal of a text; a text that is a seal already is given back as it is. */
function sealText(text: string): string {
  if (new RegExp(`^${seals.source}$`).test(text)) return text;
  const tag = /^\s*<([a-zA-Z][\w -]{0,40})>/.exec(text)?.[1]?.replaceAll(' ', '_');
  const bytes = Buffer.from(text, 'utf8');
  return `<<sealed ${tag === undefined ? '' : `${tag} `}${bytes.length} ${sha256(bytes)}>>`;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
