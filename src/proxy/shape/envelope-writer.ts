import type { Filler } from '../../golden/pattern/fill.ts';
import { printJson } from '../../wire/json.ts';
import { type CompiledPattern, fillText, type ObjectPattern, type TextPattern } from './compiled-pattern.ts';
import type { Identity } from './identity.ts';
import { keyOrder } from './key-order.ts';
import { printMembers, type RawMember, rawMembers, stringIn } from './raw-json.ts';

export type EnvelopeOptions = {
  readonly filler: Filler;
  readonly identity: Identity;
  readonly identityVariables: ReadonlySet<string>;
  /** The ids that the client sent where the golden has the identity. */
  readonly clientIds: ReadonlySet<string>;
  /** Values that embedded JSON repeats from the request. Undefined: the request lacks the value, so leave out the key. */
  readonly requestValues: ReadonlyMap<string, string | undefined>;
};

/**
 * Writes a request's envelope: headers and client metadata. The client's own value takes precedence over the golden's,
 * except that the effective identity replaces every id of a session or thread. All values are raw JSON texts.
 */
export class EnvelopeWriter {
  readonly #options: EnvelopeOptions;

  constructor(options: EnvelopeOptions) {
    this.#options = options;
  }

  /** Returns the value for a pattern. `sent` is the client's own value. */
  value(pattern: CompiledPattern, sent: string | undefined, key: string): string {
    if (sent === undefined) return this.#own(pattern, key);
    switch (pattern.kind) {
      case 'text':
        return this.#text(pattern, sent, key);
      case 'object':
        return this.object(pattern, rawMembers(sent));
      case 'embedded-json': {
        const members = rawMembers(stringIn(sent) ?? '');
        // From a client it is complete: add nothing to it.
        return members === undefined
          ? this.#own(pattern, key)
          : JSON.stringify(this.#embedded(pattern.inner, members));
      }
      case 'node':
        return sent;
    }
  }

  /** Returns an object with the client's members and those that only the pattern has. */
  object(pattern: ObjectPattern, sent: readonly RawMember[] = []): string {
    if (sent.length === 0) return this.#own(pattern, '');
    const values = new Map(sent);
    return printMembers(orderedKeys(pattern, sent).map((key) => this.#member(pattern, values, key)));
  }

  #embedded(pattern: ObjectPattern, sent: readonly RawMember[]): string {
    const values = new Map(sent);
    const keys = orderedKeys(pattern, sent).filter((key) => values.has(key));
    return printMembers(keys.map((key) => this.#member(pattern, values, key)));
  }

  #member({ members }: ObjectPattern, sent: ReadonlyMap<string, string>, key: string): RawMember {
    const [inner, value] = [members.get(key), sent.get(key)];
    return [key, inner === undefined ? (value ?? '') : this.value(inner, value, key)];
  }

  #text(pattern: TextPattern, sent: string, key: string): string {
    const { identity, identityVariables, clientIds } = this.#options;
    if (!pattern.variables.some((name) => identityVariables.has(name))) return sent;
    const text = pattern.sole ? undefined : stringIn(sent);
    if (text === undefined) return this.#own(pattern, key);
    // The id is only part of the value, as in `THREAD:0` of a window id. Keep the rest as the client sent it.
    const effective = effectiveId(identity, namesThread(key));
    return JSON.stringify([...clientIds].reduce((all, id) => all.replaceAll(id, effective), text));
  }

  /** Returns the pattern's own value. A pattern belongs to one key. */
  #own(pattern: CompiledPattern, key: string): string {
    const known = writers.get(pattern);
    if (known !== undefined) return known(this.#options);
    const writer = newWriter(pattern, key, this.#options.identityVariables);
    writers.set(pattern, writer);
    return writer(this.#options);
  }
}

/** Writes a pattern's own value. */
type Writer = (options: EnvelopeOptions) => string;

/** A request has dozens of values, so what is the same in all requests is found once. */
const writers = new WeakMap<CompiledPattern, Writer>();

/** How JSON is written: as it is, or within a JSON string. */
type JsonForm = {
  /** Returns a string value. */
  readonly string: (text: string) => string;
  readonly json: (json: string) => string;
};

/** Text that is the same in JSON. To find that out takes less time than to write it as JSON twice. */
const plainText = /^[\w .:/()-]*$/;

const asItIs: JsonForm = {
  string: (text) => (plainText.test(text) ? `"${text}"` : JSON.stringify(text)),
  json: (json) => json,
};

const withinString: JsonForm = {
  string: (text) => (plainText.test(text) ? `\\"${text}\\"` : withinString.json(JSON.stringify(text))),
  json: (json) => JSON.stringify(json).slice(1, -1),
};

function newWriter(
  pattern: CompiledPattern,
  key: string,
  identityVariables: ReadonlySet<string>,
  form = asItIs,
): Writer {
  switch (pattern.kind) {
    case 'text': {
      const ids = pattern.variables.filter((name) => identityVariables.has(name));
      const isThread = namesThread(key);
      if (pattern.sole && ids.length > 0) {
        return ({ identity }) => form.string(effectiveId(identity, isThread));
      }
      return ({ filler, identity }) => {
        for (const name of ids) filler.set(name, effectiveId(identity, isThread));
        const text = fillText(pattern, filler);
        return pattern.number ? text : form.string(text);
      };
    }
    case 'object':
      return membersWriter(pattern, identityVariables, form);
    case 'embedded-json': {
      if (form === withinString) {
        const write = newWriter(pattern, key, identityVariables);
        return (options) => form.json(write(options));
      }
      const inner = membersWriter(pattern.inner, identityVariables, withinString, true);
      return (options) => `"${inner(options)}"`;
    }
    case 'node': {
      const { node, text } = pattern;
      if (text === undefined) return ({ filler }) => form.json(printJson(filler.node(node)));
      const constant = form.json(text);
      return () => constant;
    }
  }
}

/** `repeats`: whether members are repeated from the request. */
function membersWriter(
  { members }: ObjectPattern,
  identityVariables: ReadonlySet<string>,
  form: JsonForm,
  repeats = false,
): Writer {
  const steps = Array.from(members, ([key, inner]) => ({
    key,
    start: form.json(`${JSON.stringify(key)}:`),
    write: newWriter(inner, key, identityVariables, form),
  }));
  return (options) => {
    const { requestValues } = options;
    let text = '';
    for (const { key, start, write } of steps) {
      const isRepeated = repeats && requestValues.has(key);
      const repeated = requestValues.get(key);
      if (isRepeated && repeated === undefined) continue;
      const value = isRepeated ? form.json(repeated ?? '') : write(options);
      text += `${text === '' ? '' : ','}${start}${value}`;
    }
    return `{${text}}`;
  };
}

function effectiveId({ session, thread }: Identity, isThread: boolean): string {
  return isThread ? thread : session;
}

function orderedKeys({ members, ordered }: ObjectPattern, sent: readonly RawMember[]): string[] {
  const [known, own] = [[...members.keys()], sent.map(([key]) => key)];
  return keyOrder(ordered || own.length === 0 ? [known, own] : [own, known]);
}

/** Keys and headers that contain the thread id. All others contain the session id (measured: codex 0.169.0, subagent). */
function namesThread(key: string): boolean {
  return /thread|window|x-client-request-id/i.test(key);
}
