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
import { escapeStyle, inStyle } from './escapes.ts';
import { KnownSecrets } from './known-secrets.ts';
import { contentKeys, credentials, isCount, namedSecrets, type SecretName, secretName } from './secrets.ts';
import type { HeaderField } from './trace-event.ts';

/**
 * Seals replace secrets and prose in a trace. They are plain ASCII, so a replay can send them in a header. Sealing a
 * seal does not change it.
 *
 *     <<secret KIND NUMBER [uuid4|uuid7]>>     equal values get equal numbers, counted per kind within one recording
 *     <<sealed [TAG] BYTES SHA256>>            a text of BYTES UTF-8 bytes; TAG when it begins with `<TAG>`
 */
export const seals = /<<(?:secret|sealed) [^<>]*>>/;
const wholeSeal = new RegExp(`^${seals.source}$`);
const eachSeal = new RegExp(`(${seals.source})`);

/**
 * The frame that the client puts around the output of a tool, with its duration: `Wall time 0.1 seconds` (measured:
 * codex 0.130.0 to 0.169.0). Runs often have equal durations by chance, so it cannot become a variable and is written
 * as `<<elapsed>>`.
 */
const toolFrame = /^((?:Script [a-z]+\n)?Wall time:? )(?:\d+\.\d+|<<elapsed>>)( seconds\nOutput:\n)/;

/** Credentials after the scheme of an Authorization header (RFC 9110, section 11.4), in whatever header they are. */
const authScheme = /^(?:Bearer|Basic) +(?=(?:\S+|<<secret [^<>]*>>)$)/i;
const credential: SecretName = { kind: 'token', names: /^$/ };

/** How many sealed texts are kept, and how long they may be. */
const mostKept = 4096;
const longestKept = 512;

/** Texts that show no secret by themselves. They may hold one that is known from elsewhere. */
const plainTexts = new Set<string>();

/** Distinguishes prose from values of the protocol. */
const threeWords = /\p{L}{2,} \p{L}{2,} \p{L}{2,}/u;

export type SealerOptions = {
  /** Prompts and replies of the scenario, exactly as they are sent. They stay readable. */
  readonly ownTexts?: Iterable<string>;
  /** Secrets that are known in advance, by kind: `{ account_id: ['acct-1'] }`. */
  readonly secrets?: Readonly<Record<string, readonly string[]>>;
  /** Receives each text that is sealed, and its seal. */
  readonly onText?: (seal: string, text: string) => void;
  /** Whether sealed documents are kept, as each may come again: from the other side of a proxy. Absent: false. */
  readonly keepsDocuments?: boolean;
};

/** A sealed JSON document. `spaced` tells whether it had white space between its tokens. */
export type SealedDocument = { readonly json: JsonNode; readonly spaced: boolean };

/** Seals secrets and prose. Use one sealer per recording, so that equal secrets get equal numbers throughout. */
export class Sealer {
  readonly #ownTexts: ReadonlySet<string>;
  /** Seals by kind and value. */
  readonly #secrets = new Map<string, Map<string, string>>();
  readonly #known = new KnownSecrets();
  /** How many secrets were found. */
  #found = 0;
  /** Texts without the secrets found so far. The same keys and values occur again and again. */
  readonly #sealed = new Map<string, string>();
  /** Documents without the secrets found so far, if they are kept. */
  readonly #documents: Map<string, SealedDocument> | undefined;
  readonly #onText: NonNullable<SealerOptions['onText']>;

  constructor(options: SealerOptions = {}) {
    this.#ownTexts = new Set(options.ownTexts);
    this.#onText = options.onText ?? (() => {});
    this.#documents = options.keepsDocuments === true ? new Map() : undefined;
    for (const [kind, values] of Object.entries(options.secrets ?? {})) {
      for (const value of values) this.#sealSecret(kind, value);
    }
  }

  /** How many secrets it knows. */
  get secrets(): number {
    return [...this.#secrets.values()].reduce((sum, { size }) => sum + size, 0);
  }

  headers(headers: HeaderList): HeaderField[] {
    return this.#untilKnown(() => headers.map(([name, value]) => [name, this.#header(name, value)]));
  }

  /** A request target. Secrets in the query are sealed. The path stays, except for known secrets. */
  target(target: string): JsonNode {
    return jsonString(this.#sealSecretsIn(target));
  }

  json(node: JsonNode): JsonNode {
    return this.#untilKnown(() => this.#node('', node));
  }

  /** A JSON document; undefined for text that is not one. */
  document(text: string): SealedDocument | undefined {
    const kept = this.#documents?.get(text);
    if (kept !== undefined) return kept;
    const parsed = tryParseJson(text);
    if (parsed === undefined) return undefined;
    const sealed = { json: this.json(parsed.node), spaced: !parsed.compact };
    this.#documents?.set(text, sealed);
    return sealed;
  }

  /** Text that is not JSON, such as an error page or a stray line in an event stream. */
  text(text: string): JsonNode {
    return this.#string('text', jsonString(text));
  }

  /** The name of a server-sent event. */
  eventName(name: string): string {
    return this.#isProse('', name) ? this.#sealText(name) : this.#sealSecretsIn(name);
  }

  /** A text that is to be shown: only its secrets are sealed. */
  withoutSecrets(text: string): string {
    return this.#sealSecretsIn(text);
  }

  /** Seals again after a pass that found new secrets: they are then replaced at earlier places too. */
  #untilKnown<T>(seal: () => T): T {
    const before = this.#found;
    const sealed = seal();
    return this.#found === before ? sealed : seal();
  }

  #header(name: string, value: string): JsonNode {
    const secret = secretName(name) ?? (authScheme.test(value) ? credential : undefined);
    if (secret !== undefined && !isCount(secret, value)) return jsonString(this.#sealValue(secret, value));
    const document = this.#innerDocument(value);
    if (document !== undefined) return jsonString(document);
    const isProse = !this.#ownTexts.has(value) && hasThreeWords(withoutSeals(value));
    return jsonString(isProse ? this.#sealText(value) : this.#sealSecretsIn(value));
  }

  /** `key` is the nearest key above the node. `secret` is set when everything below it is a secret of that kind. */
  #node(key: string, node: JsonNode, secret?: SecretName): JsonNode {
    switch (node.kind) {
      case 'string':
        return secret === undefined || isCount(secret, node.value)
          ? this.#string(key, node)
          : withValue(node, this.#sealValue(secret, node.value));
      case 'number':
        return secret === undefined || isCount(secret, node.text)
          ? node
          : jsonString(this.#sealSecret(secret.kind, node.text));
      case 'array':
        return { kind: 'array', items: node.items.map((item) => this.#node(key, item, secret)) };
      case 'object': {
        const below = secret?.texts ? undefined : secret;
        return { kind: 'object', members: node.members.map((member) => this.#member(key, member, below)) };
      }
      default:
        return node;
    }
  }

  #member(parent: string, [key, value, spelling]: JsonMember, secret: SecretName | undefined): JsonMember {
    const safe = this.#key(key);
    // In a JSON Schema, the key is the name of a property, and the value describes it.
    const isSchema = parent === 'properties' && value.kind === 'object';
    const sealed = this.#node(key, value, secret ?? (isSchema ? undefined : secretName(key)));
    const { spelling: safeSpelling } = withValue(jsonString(key, spelling), safe);
    return jsonMember(safe, sealed, safeSpelling);
  }

  /** Keys belong to the protocol, unless a path or text of the user is used as a key. */
  #key(key: string): string {
    if (/^(?:\/[^/]+){2,}|^[A-Za-z]:[\\/]/.test(key)) return this.#sealSecret('path', key);
    return this.#isProse('', key) ? this.#sealText(key) : this.#sealSecretsIn(key);
  }

  #string(key: string, node: JsonString): JsonString {
    const { value } = node;
    if (this.#ownTexts.has(value)) return node;
    const frame = toolFrame.exec(value);
    if (frame !== null) {
      const output = value.slice(frame[0].length);
      const safe = this.#isProse(key, output) ? this.#prose(output) : this.#sealSecretsIn(output);
      return withValue(node, `${frame[1]}<<elapsed>>${frame[2]}${safe}`);
    }
    if (contentKeys.has(key) && this.#isProse(key, value)) return withValue(node, this.#prose(value));
    const inner = this.#innerDocument(value);
    if (inner !== undefined) return withValue(node, inner);
    if (this.#isProse(key, value)) return withValue(node, this.#sealText(value));
    return withValue(node, this.#sealSecretsIn(value));
  }

  /** Seals a JSON object or array inside a string, and keeps its white space. Undefined for any other text. */
  #innerDocument(text: string): string | undefined {
    const parsed = /^\s*[{[]/.test(text) ? tryParseJson(text) : undefined;
    if (parsed === undefined) return undefined;
    const sealed = printJson(this.#node('', parsed.node));
    return parsed.compact ? sealed : spacedLike(text, sealed);
  }

  /** Seals prose, except for the output of a command in it (outputIn). */
  #prose(text: string): string {
    const { before, own, after } = outputIn(text, this.#ownTexts);
    if (own === '') return this.#sealText(text);
    return `${before === '' ? '' : `${this.#sealText(before.slice(0, -1))}\n`}${own}${after === '' ? '' : this.#sealText(after)}`;
  }

  /** Prose is any text under a content key, three words in a row, or more than 80 characters. */
  #isProse(key: string, text: string): boolean {
    if (text === '' || this.#ownTexts.has(text)) return false;
    if (contentKeys.has(key)) return true;
    const rest = withoutSeals(text);
    return rest.length > 80 || hasThreeWords(rest);
  }

  #sealSecretsIn(text: string): string {
    const known = this.#sealed.get(text);
    if (known !== undefined) return known;
    const before = this.#found;
    const isPlain = plainTexts.has(text) && this.#known.find(text).length === 0;
    const safe = isPlain
      ? text
      : text
          .split(eachSeal)
          .map((part) => (seals.test(part) ? part : this.#replaceSecrets(part)))
          .join('');
    // A secret found in the text may also be before its place.
    if (text.length > longestKept || this.#found !== before) return safe;
    if (this.#sealed.size >= mostKept) this.#sealed.clear();
    const copy = copyOf(text);
    const kept = safe === text ? copy : safe;
    this.#sealed.set(copy, kept);
    if (isPlain || safe !== text) return kept;
    if (plainTexts.size >= mostKept) plainTexts.clear();
    plainTexts.add(copy);
    return kept;
  }

  /**
   * Replaces the secrets of a text: first those that the text around them shows, then known ones, then those of a known
   * form. Where secrets overlap, the first one counts, and the parts between are searched again.
   */
  #replaceSecrets(text: string, stage: 'named' | 'known' | 'form' = 'named'): string {
    const found = this.#find(text, stage);
    if (found.length === 0) {
      if (stage === 'form') return text;
      return this.#replaceSecrets(text, stage === 'named' ? 'known' : 'form');
    }
    let safe = '';
    let from = 0;
    for (const { start, end, seal } of found) {
      safe += this.#replaceSecrets(text.slice(from, start), stage) + seal();
      from = end;
    }
    return safe + this.#replaceSecrets(text.slice(from), stage);
  }

  #find(text: string, stage: 'named' | 'known' | 'form') {
    const found: { readonly start: number; readonly end: number; readonly seal: () => string }[] = [];
    let taken: Uint8Array | undefined;
    const add = ({ start, end }: { readonly start: number; readonly end: number }, seal: () => string) => {
      taken ??= new Uint8Array(text.length);
      if (taken.subarray(start, end).includes(1)) return;
      taken.fill(1, start, end);
      found.push({ start, end, seal });
    };
    if (stage === 'known') for (const span of this.#known.find(text)) add(span, () => span.seal);
    else
      for (const span of stage === 'named' ? namedSecrets(text) : credentials(text))
        add(span, () => this.#sealSecret(span.kind, span.value));
    return found.sort((a, b) => a.start - b.start);
  }

  /** Keeps the scheme of credentials. */
  #sealValue({ kind }: SecretName, value: string): string {
    const scheme = authScheme.exec(value)?.[0] ?? '';
    return scheme + this.#sealSecret(kind, value.slice(scheme.length));
  }

  #sealSecret(kind: string, value: string): string {
    if (value === '' || wholeSeal.test(value)) return value;
    const sealsOfKind = this.#secrets.get(kind) ?? new Map<string, string>();
    this.#secrets.set(kind, sealsOfKind);
    const existing = sealsOfKind.get(value);
    if (existing !== undefined) return existing;
    const shape = isUuid4(value) ? ' uuid4' : isUuid7(value) ? ' uuid7' : '';
    const seal = `<<secret ${kind} ${sealsOfKind.size + 1}${shape}>>`;
    const copy = copyOf(value);
    sealsOfKind.set(copy, seal);
    this.#found += 1;
    this.#sealed.clear();
    this.#documents?.clear();
    this.#known.add(copy, seal);
    return seal;
  }

  #sealText(text: string): string {
    const seal = sealText(text);
    if (seal !== text) this.#onText(seal, text);
    return seal;
  }
}

/** A text with memory of its own: a part of a long text keeps all of that in memory (V8, Node 24), and unsealed. */
function copyOf(text: string): string {
  return JSON.parse(JSON.stringify(text));
}

function hasThreeWords(text: string): boolean {
  return text.includes(' ') && threeWords.test(text);
}

/** Seals do not count as words or characters. Text on both sides of a seal is not joined. */
function withoutSeals(text: string): string {
  return text.includes('<<') ? text.split(seals).join('|') : text;
}

/**
 * A string with another value. Its escapes show how the original wrote its non-ASCII characters, so that a seal does not
 * hide a difference. Raw ones are shown for secrets only: the client writes prose raw.
 */
function withValue(node: JsonString, value: string): JsonString {
  // The value of the node may be a part of the whole text, and this one a copy (copyOf).
  if (value === node.value) return { ...node, value };
  const style = escapeStyle(node);
  const isShown = style !== 'raw' || /^<<secret [^<>]*>>$/.test(value);
  return inStyle(value, isShown && value !== '' ? style : undefined);
}

/** The compact document with the white space of `spaced`, which has the same number of tokens. */
function spacedLike(spaced: string, compact: string): string {
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
  const tokens = compact.match(token) ?? [];
  let at = 0;
  return spaced.replaceAll(token, () => tokens[at++] ?? '');
}

/**
 * Splits the output of a command, which is a text of the scenario, from what the shell of the host prints. Lines before it
 * come from start-up files and warnings. Warnings may also come after it: the client reads both streams of the command
 * at once (measured: codex 0.118.0, scenario tool-turn).
 */
function outputIn(text: string, ownTexts: Iterable<string>): { before: string; own: string; after: string } {
  let found = { before: text, own: '', after: '' };
  for (const own of ownTexts) {
    const at = text.startsWith(own) ? 0 : text.lastIndexOf(`\n${own}`) + 1;
    const after = text.slice(at + own.length);
    const isWhole = text.startsWith(own, at) && (after === '' || shellWarning.test(after));
    if (isWhole && own.length > found.own.length) found = { before: text.slice(0, at), own, after };
  }
  return found;
}

const shellWarning = /^(?:<<sealed |(?:\/\S*\/)?[a-z]*sh: )/;

/** The seal of a text. A text that is a seal already is returned unchanged. */
function sealText(text: string): string {
  if (wholeSeal.test(text)) return text;
  const tag = /^\s*<([a-zA-Z][\w -]{0,40})>/.exec(text)?.[1]?.replaceAll(' ', '_');
  const bytes = Buffer.from(text, 'utf8');
  return `<<sealed ${tag === undefined ? '' : `${tag} `}${bytes.length} ${hash('sha256', bytes)}>>`;
}
