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
    switch (pattern.kind) {
      case 'text':
        return this.#text(pattern, sent, key);
      case 'object':
        return printMembers(this.members(pattern, rawMembers(sent ?? '')));
      case 'embedded-json':
        return JSON.stringify(
          printMembers(this.#embeddedMembers(pattern.inner, rawMembers(stringIn(sent) ?? ''))),
        );
      case 'node':
        return sent ?? pattern.text ?? printJson(this.#options.filler.node(pattern.node));
    }
  }

  /** Returns the client's members together with those that only the pattern has. */
  members(pattern: ObjectPattern, sent: readonly RawMember[] = []): RawMember[] {
    const values = new Map(sent);
    return orderedKeys(pattern, sent).flatMap((key) => this.#member(pattern, values, key));
  }

  /** Embedded turn metadata from a client is complete: add nothing to it. */
  #embeddedMembers(pattern: ObjectPattern, sent: readonly RawMember[] | undefined): RawMember[] {
    if (sent !== undefined) {
      const values = new Map(sent);
      const keys = orderedKeys(pattern, sent).filter((key) => values.has(key));
      return keys.flatMap((key) => this.#member(pattern, values, key));
    }
    const { requestValues } = this.#options;
    return [...pattern.members.keys()].flatMap((key): RawMember[] => {
      if (!requestValues.has(key)) return this.#member(pattern, noValues, key);
      const value = requestValues.get(key);
      return value === undefined ? [] : [[key, value]];
    });
  }

  #member(pattern: ObjectPattern, sent: ReadonlyMap<string, string>, key: string): RawMember[] {
    const [inner, value] = [pattern.members.get(key), sent.get(key)];
    if (inner !== undefined) return [[key, this.value(inner, value, key)]];
    return value === undefined ? [] : [[key, value]];
  }

  #text(pattern: TextPattern, sent: string | undefined, key: string): string {
    const { filler, identity, identityVariables, clientIds } = this.#options;
    const ids = pattern.variables.filter((name) => identityVariables.has(name));
    if (ids.length === 0) return sent ?? this.#filled(pattern);
    const effective = namesThread(key) ? identity.thread : identity.session;
    if (pattern.sole) return JSON.stringify(effective);
    const text = stringIn(sent);
    if (text !== undefined) {
      // The id is only part of the value, as in `THREAD:0` of a window id. Keep the rest as the client sent it.
      return JSON.stringify([...clientIds].reduce((all, id) => all.replaceAll(id, effective), text));
    }
    for (const name of ids) filler.set(name, effective);
    return this.#filled(pattern);
  }

  #filled(pattern: TextPattern): string {
    const text = fillText(pattern, this.#options.filler);
    return pattern.number ? text : JSON.stringify(text);
  }
}

const noValues: ReadonlyMap<string, string> = new Map();

function orderedKeys({ members, ordered }: ObjectPattern, sent: readonly RawMember[]): string[] {
  const [known, own] = [[...members.keys()], sent.map(([key]) => key)];
  return keyOrder(ordered || own.length === 0 ? [known, own] : [own, known]);
}

/** Keys and headers that contain the thread id. All others contain the session id (measured: codex 0.169.0, subagent). */
function namesThread(key: string): boolean {
  return /thread|window|x-client-request-id/i.test(key);
}
