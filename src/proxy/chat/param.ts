import { type JsonNode, type JsonObject, type JsonString, member, printJson } from '../../wire/json.ts';
import { type ApiError, invalidRequest } from '../http/errors.ts';

/** A value in a request, with the path that error messages name. */
export class Param {
  /** The path, such as `messages[0].content`. Empty for the request itself. */
  readonly name: string;
  readonly node: JsonNode | undefined;

  constructor(name: string, node: JsonNode | undefined) {
    this.name = name;
    this.node = node;
  }

  /** The value, or undefined if it is absent or null. */
  get value(): JsonNode | undefined {
    return this.node?.kind === 'literal' && this.node.value === null ? undefined : this.node;
  }

  /** Returns a member, which may be absent. Throws ApiError if this is neither absent nor an object. */
  member(key: string): Param {
    if (this.value !== undefined) this.object();
    return new Param(this.name === '' ? key : `${this.name}.${key}`, member(this.node, key));
  }

  /** Returns the string. Throws ApiError for any other kind of value. The methods for the other kinds do the same. */
  string(): JsonString {
    const { value } = this;
    if (value?.kind !== 'string') throw this.#wrongKind('a string');
    return value;
  }

  object(): JsonObject {
    const { value } = this;
    if (value?.kind !== 'object') throw this.#wrongKind('an object');
    return value;
  }

  items(): Param[] {
    const { value } = this;
    if (value?.kind !== 'array') throw this.#wrongKind('an array');
    return value.items.map((item, index) => new Param(`${this.name}[${index}]`, item));
  }

  number(): JsonNode {
    const { value } = this;
    if (value?.kind !== 'number') throw this.#wrongKind('a number');
    return value;
  }

  boolean(): boolean {
    const { value } = this;
    if (value?.kind !== 'literal' || value.value === null) throw this.#wrongKind('a boolean');
    return value.value;
  }

  /** Returns the entry of a table for this string. Throws ApiError if there is none. */
  lookUp<T>(table: ReadonlyMap<string, T>): T {
    const name = this.string();
    const entry = table.get(name.value);
    if (entry !== undefined) return entry;
    const known = [...table.keys()].map((key) => `'${key}'`).join(', ');
    throw this.error(`Invalid value for '${this.name}': ${printJson(name)}. Supported: ${known}.`);
  }

  error(message: string, code = 'invalid_value'): ApiError {
    return invalidRequest(message, this.name === '' ? null : this.name, code);
  }

  #wrongKind(expected: string): ApiError {
    const { value } = this;
    if (this.name === '') return this.error(`The body must be ${expected}.`, 'invalid_type');
    if (value === undefined) {
      return this.error(`Missing required parameter: '${this.name}'.`, 'missing_required_parameter');
    }
    const kind = value.kind === 'literal' ? 'boolean' : value.kind;
    const actual = `${/^[ao]/.test(kind) ? 'an' : 'a'} ${kind}`;
    const message = `Invalid type for '${this.name}': expected ${expected}, but got ${actual}.`;
    return this.error(message, 'invalid_type');
  }
}
