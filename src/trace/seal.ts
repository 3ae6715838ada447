import { createHash } from 'node:crypto';
import type { HeaderList } from '../wire/headers.ts';
import { isUuid4, isUuid7 } from '../wire/ids.ts';
import {
  type JsonMember,
  type JsonNode,
  type JsonString,
  jsonMember,
  jsonString,
  printJson,
  tryParseJson,
} from '../wire/json.ts';
import { credentialPatterns, isAddressHeader, isContentKey, secretHeader, secretKey } from './secrets.ts';
import type { HeaderField } from './trace-event.ts';

/**
 * What stands in a trace where a secret or a text of others stood. Both are plain ASCII, so that they can travel in
 * a header again when a golden is replayed, and both seal to themselves.
 *
 *     <<secret KIND NUMBER [uuid4|uuid7]>>     the same number for the same value, counted per kind in one recording
 *     <<sealed [TAG] BYTES SHA256>>            a text of that many UTF-8 bytes; TAG where it began with `<TAG>`
 */
export const seals = /<<(?:secret|sealed) [^<>]*>>/;

/**
 * The client's own words around what a tool gave back, with how long it ran: `Wall time 0.1 seconds` (measured: codex
 * 0.130.0 to 0.169.0). Runs often agree in it by chance, so it is no variable: it is written as `<<elapsed>>`.
 */
const toolFrame = /^((?:Script [a-z]+\n)?Wall time:? )(?:\d+\.\d+|<<elapsed>>)( seconds\nOutput:\n)/;

/** What tells prose from a value of the protocol. */
const threeWords = /\p{L}{2,} \p{L}{2,} \p{L}{2,}/u;

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
    return twice(() => headers.map(([name, value]) => [name, this.#header(name, value)]));
  }

  /** A request target: secrets in its query are sealed, the path stays. */
  target(target: string): JsonNode {
    return jsonString(this.#address(target));
  }

  json(node: JsonNode): JsonNode {
    return twice(() => this.#node('', node));
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
    if (isAddressHeader(name)) return jsonString(this.#address(value));
    const document = this.#document(value);
    if (document !== undefined) return jsonString(document);
    const prose = !this.#ownTexts.has(value) && threeWords.test(withoutSeals(value));
    return jsonString(prose ? sealText(value) : this.#secretsIn(value));
  }

  #address(address: string): string {
    const [path = '', ...query] = address.split('?');
    const fields = query.join('?').replaceAll(/([^&=]+)=([^&]+)/g, (field, key: string, value: string) => {
      const kind = secretKey(key);
      return kind === undefined ? field : `${key}=${this.#markOf(kind, decoded(value))}`;
    });
    return this.#secretsIn(query.length === 0 ? path : `${path}?${fields}`);
  }

  /** `key` is the nearest key above the node; `secret` is the kind of secret that everything below it is. */
  #node(key: string, node: JsonNode, secret?: string): JsonNode {
    switch (node.kind) {
      case 'string':
        return secret === undefined
          ? this.#string(key, node)
          : withValue(node, this.#markOf(secret, node.value));
      case 'number':
        return secret === undefined ? node : jsonString(this.#markOf(secret, node.text));
      case 'array':
        return { kind: 'array', items: node.items.map((item) => this.#node(key, item, secret)) };
      case 'object':
        return { kind: 'object', members: node.members.map((member) => this.#member(member, secret)) };
      default:
        return node;
    }
  }

  #member([key, value, spelling]: JsonMember, secret: string | undefined): JsonMember {
    const safe = this.#key(key);
    const sealed = this.#node(key, value, secret ?? secretKey(key));
    return jsonMember(safe, sealed, safe === key ? spelling : undefined);
  }

  /** Keys are facts of the protocol, except where a path or a text of the user became one. */
  #key(key: string): string {
    if (/^(?:\/[^/]+){2,}|^[A-Za-z]:[\\/]/.test(key)) return this.#markOf('path', key);
    return this.#isProse('', key) ? sealText(key) : this.#secretsIn(key);
  }

  #string(key: string, node: JsonString): JsonString {
    const { value } = node;
    if (this.#ownTexts.has(value)) return node;
    const frame = toolFrame.exec(value);
    if (frame !== null) {
      const given = value.slice(frame[0].length);
      const safe = this.#isProse(key, given) ? sealText(given) : this.#secretsIn(given);
      return withValue(node, `${frame[1]}<<elapsed>>${frame[2]}${safe}`);
    }
    if (isContentKey(key) && this.#isProse(key, value)) return withValue(node, sealText(value));
    const inner = this.#document(value);
    if (inner !== undefined) return withValue(node, inner);
    if (this.#isProse(key, value)) return withValue(node, sealText(value));
    return withValue(node, this.#secretsIn(value));
  }

  /** The text of a JSON object or list, sealed like any other, its white space kept; undefined for another text. */
  #document(text: string): string | undefined {
    const parsed = /^\s*[{[]/.test(text) ? tryParseJson(text) : undefined;
    if (parsed === undefined) return undefined;
    const sealed = printJson(this.#node('', parsed.node));
    return parsed.compact ? sealed : spacedLike(text, sealed);
  }

  /** Prose: what stands under a key that carries content, three words in a row, or more than 80 characters. */
  #isProse(key: string, text: string): boolean {
    if (text === '' || this.#ownTexts.has(text)) return false;
    const rest = withoutSeals(text);
    return isContentKey(key) || rest.length > 80 || threeWords.test(rest);
  }

  #secretsIn(text: string): string {
    return text
      .split(new RegExp(`(${seals.source})`))
      .map((part) => (seals.test(part) ? part : this.#replaceSecrets(part)))
      .join('');
  }

  /** What is between known secrets is searched for the next one: a mark that was put in is never searched itself. */
  #replaceSecrets(text: string, from = 0): string {
    const [value, mark] = this.#known[from] ?? [];
    if (value !== undefined && mark !== undefined) {
      return text
        .split(value)
        .map((part) => this.#replaceSecrets(part, from + 1))
        .join(mark);
    }
    let safe = text;
    for (const [kind, pattern] of credentialPatterns) {
      safe = safe.replace(pattern, (credential) => this.#markOf(kind, credential));
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

/** A seal counts as no word and as no character; but what stands on its two sides is not one text. */
function withoutSeals(text: string): string {
  return text.split(seals).join('|');
}

/** Seals, and seals again: what only its key tells to be a secret is then known wherever else it stood before. */
function twice<T>(seal: () => T): T {
  seal();
  return seal();
}

/**
 * A string with another value. One that was spelled unusually (as a JSON library that escapes all but ASCII does)
 * goes on being so, or the seal would hide it: its first character is escaped.
 */
function withValue(node: JsonString, value: string): JsonString {
  if (value === node.value) return node;
  if (node.spelling === undefined || value === '') return jsonString(value);
  const first = value.charCodeAt(0).toString(16).padStart(4, '0');
  return jsonString(value, `"\\u${first}${JSON.stringify(value.slice(1)).slice(1)}`);
}

/** A compact document with the white space of another that has as many tokens. */
function spacedLike(spaced: string, compact: string): string {
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
  const tokens = compact.match(token) ?? [];
  let at = 0;
  return spaced.replaceAll(token, () => tokens[at++] ?? '');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
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
