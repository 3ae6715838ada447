import { hash } from 'node:crypto';
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
import { addressHeaders, contentKeys, credentialPatterns, secretHeader, secretKey } from './secrets.ts';
import type { HeaderField } from './trace-event.ts';

/**
 * Seals replace secrets and prose in a trace. They are plain ASCII, so a replay can send them in a header. Sealing a
 * seal does not change it.
 *
 *     <<secret KIND NUMBER [uuid4|uuid7]>>     equal values get equal numbers, counted per kind within one recording
 *     <<sealed [TAG] BYTES SHA256>>            a text of BYTES UTF-8 bytes; TAG when it begins with `<TAG>`
 */
export const seals = /<<(?:secret|sealed) [^<>]*>>/;

/**
 * The frame that the client puts around the output of a tool, with its duration: `Wall time 0.1 seconds` (measured:
 * codex 0.130.0 to 0.169.0). Runs often have equal durations by chance, so it cannot become a variable and is written
 * as `<<elapsed>>`.
 */
const toolFrame = /^((?:Script [a-z]+\n)?Wall time:? )(?:\d+\.\d+|<<elapsed>>)( seconds\nOutput:\n)/;

/** Distinguishes prose from values of the protocol. */
const threeWords = /\p{L}{2,} \p{L}{2,} \p{L}{2,}/u;

export type SealerOptions = {
  /** Prompts and replies of the scenario, exactly as they are sent. They stay readable. */
  readonly ownTexts?: Iterable<string>;
  /** Secrets that are known in advance, by kind: `{ account_id: ['acct-1'] }`. */
  readonly secrets?: Readonly<Record<string, readonly string[]>>;
};

/** Seals secrets and prose. Use one sealer per recording, so that equal secrets get equal numbers throughout. */
export class Sealer {
  readonly #ownTexts: ReadonlySet<string>;
  /** Seals by kind and value. */
  readonly #secrets = new Map<string, Map<string, string>>();
  /** Secrets to search for, longest first, because one may contain another. */
  #known: (readonly [value: string, seal: string])[] = [];

  constructor(options: SealerOptions = {}) {
    this.#ownTexts = new Set(options.ownTexts);
    for (const [kind, values] of Object.entries(options.secrets ?? {})) {
      for (const value of values) this.#sealSecret(kind, value);
    }
  }

  headers(headers: HeaderList): HeaderField[] {
    return twice(() => headers.map(([name, value]) => [name, this.#header(name, value)]));
  }

  /** A request target. Secrets in the query are sealed. The path stays, except for known secrets. */
  target(target: string): JsonNode {
    return jsonString(this.#address(target));
  }

  json(node: JsonNode): JsonNode {
    return twice(() => this.#node('', node));
  }

  /** Text that is not JSON, such as an error page or a stray line in an event stream. */
  text(text: string): JsonNode {
    return this.#string('text', jsonString(text));
  }

  #header(name: string, value: string): JsonNode {
    const kind = secretHeader(name);
    if (kind !== undefined && value !== '') {
      const scheme = /^(?:Bearer|Basic) /.exec(value)?.[0] ?? '';
      return jsonString(scheme + this.#sealSecret(kind, value.slice(scheme.length)));
    }
    if (addressHeaders.has(name.toLowerCase())) return jsonString(this.#address(value));
    const document = this.#document(value);
    if (document !== undefined) return jsonString(document);
    const isProse = !this.#ownTexts.has(value) && threeWords.test(withoutSeals(value));
    return jsonString(isProse ? sealText(value) : this.#sealSecretsIn(value));
  }

  #address(address: string): string {
    const [path = '', ...query] = address.split('?');
    const fields = query.join('?').replaceAll(/([^&=]+)=([^&]+)/g, (field, key: string, value: string) => {
      const kind = secretKey(key);
      return kind === undefined ? field : `${key}=${this.#sealSecret(kind, decodeComponent(value))}`;
    });
    return this.#sealSecretsIn(query.length === 0 ? path : `${path}?${fields}`);
  }

  /** `key` is the nearest key above the node. `secret` is set when everything below it is a secret of that kind. */
  #node(key: string, node: JsonNode, secret?: string): JsonNode {
    switch (node.kind) {
      case 'string':
        return secret === undefined
          ? this.#string(key, node)
          : withValue(node, this.#sealSecret(secret, node.value));
      case 'number':
        return secret === undefined ? node : jsonString(this.#sealSecret(secret, node.text));
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

  /** Keys belong to the protocol, unless a path or text of the user is used as a key. */
  #key(key: string): string {
    if (/^(?:\/[^/]+){2,}|^[A-Za-z]:[\\/]/.test(key)) return this.#sealSecret('path', key);
    return this.#isProse('', key) ? sealText(key) : this.#sealSecretsIn(key);
  }

  #string(key: string, node: JsonString): JsonString {
    const { value } = node;
    if (this.#ownTexts.has(value)) return node;
    const frame = toolFrame.exec(value);
    if (frame !== null) {
      const output = value.slice(frame[0].length);
      const safe = this.#isProse(key, output) ? sealText(output) : this.#sealSecretsIn(output);
      return withValue(node, `${frame[1]}<<elapsed>>${frame[2]}${safe}`);
    }
    if (contentKeys.has(key) && this.#isProse(key, value)) return withValue(node, sealText(value));
    const inner = this.#document(value);
    if (inner !== undefined) return withValue(node, inner);
    if (this.#isProse(key, value)) return withValue(node, sealText(value));
    return withValue(node, this.#sealSecretsIn(value));
  }

  /** Seals a JSON object or array inside a string, and keeps its white space. Undefined for any other text. */
  #document(text: string): string | undefined {
    const parsed = /^\s*[{[]/.test(text) ? tryParseJson(text) : undefined;
    if (parsed === undefined) return undefined;
    const sealed = printJson(this.#node('', parsed.node));
    return parsed.compact ? sealed : spacedLike(text, sealed);
  }

  /** Prose is any text under a content key, three words in a row, or more than 80 characters. */
  #isProse(key: string, text: string): boolean {
    if (text === '' || this.#ownTexts.has(text)) return false;
    const rest = withoutSeals(text);
    return contentKeys.has(key) || rest.length > 80 || threeWords.test(rest);
  }

  #sealSecretsIn(text: string): string {
    return text
      .split(new RegExp(`(${seals.source})`))
      .map((part) => (seals.test(part) ? part : this.#replaceSecrets(part)))
      .join('');
  }

  /** Replaces one known secret and recurses into the parts between, so that inserted seals are never searched. */
  #replaceSecrets(text: string, from = 0): string {
    const [value, seal] = this.#known[from] ?? [];
    if (value !== undefined && seal !== undefined) {
      return text
        .split(value)
        .map((part) => this.#replaceSecrets(part, from + 1))
        .join(seal);
    }
    let safe = text;
    for (const [kind, pattern] of credentialPatterns) {
      safe = safe.replace(pattern, (credential) => this.#sealSecret(kind, credential));
    }
    return safe;
  }

  #sealSecret(kind: string, value: string): string {
    if (value === '' || new RegExp(`^${seals.source}$`).test(value)) return value;
    const sealsOfKind = this.#secrets.get(kind) ?? new Map<string, string>();
    this.#secrets.set(kind, sealsOfKind);
    const existing = sealsOfKind.get(value);
    if (existing !== undefined) return existing;
    const shape = isUuid4(value) ? ' uuid4' : isUuid7(value) ? ' uuid7' : '';
    const seal = `<<secret ${kind} ${sealsOfKind.size + 1}${shape}>>`;
    sealsOfKind.set(value, seal);
    // Short secrets, such as the two letters of a user name, would match inside ordinary words.
    if (value.length >= 6) {
      this.#known = [...this.#known, [value, seal] as const].sort((a, b) => b[0].length - a[0].length);
    }
    return seal;
  }
}

/** Seals do not count as words or characters. Text on both sides of a seal is not joined. */
function withoutSeals(text: string): string {
  return text.split(seals).join('|');
}

/** Seals twice: secrets that the first pass recognises by their key are then replaced at earlier places too. */
function twice<T>(seal: () => T): T {
  seal();
  return seal();
}

/**
 * A string with another value. When the original had unusual escapes (such as those of a JSON library that escapes all
 * non-ASCII characters), the first character stays escaped, so that the seal does not hide the difference.
 */
function withValue(node: JsonString, value: string): JsonString {
  if (value === node.value) return node;
  if (node.spelling === undefined || value === '') return jsonString(value);
  const first = value.charCodeAt(0).toString(16).padStart(4, '0');
  return jsonString(value, `"\\u${first}${JSON.stringify(value.slice(1)).slice(1)}`);
}

/** The compact document with the white space of `spaced`, which has the same number of tokens. */
function spacedLike(spaced: string, compact: string): string {
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
  const tokens = compact.match(token) ?? [];
  let at = 0;
  return spaced.replaceAll(token, () => tokens[at++] ?? '');
}

function decodeComponent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The seal of a text. A text that is a seal already is returned unchanged. */
function sealText(text: string): string {
  if (new RegExp(`^${seals.source}$`).test(text)) return text;
  const tag = /^\s*<([a-zA-Z][\w -]{0,40})>/.exec(text)?.[1]?.replaceAll(' ', '_');
  const bytes = Buffer.from(text, 'utf8');
  return `<<sealed ${tag === undefined ? '' : `${tag} `}${bytes.length} ${hash('sha256', bytes)}>>`;
}
