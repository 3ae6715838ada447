import {
  type JsonArray,
  type JsonNode,
  type JsonObject,
  type JsonString,
  member,
  printJson,
} from '../../wire/json.ts';
import { type ApiError, invalidRequest } from '../http/errors.ts';

/** What a request says at one place, which is named when it is refused. */
export class Param {
  /** Such as `messages[0].content`; empty for the request itself. */
  readonly name: string;
  readonly node: JsonNode | undefined;

  constructor(name: string, node: JsonNode | undefined) {
    this.name = name;
    this.node = node;
  }

  /** The node, unless it is absent or null, which mean the same. */
  get given(): JsonNode | undefined {
    return this.node?.kind === 'literal' && this.node.value === null ? undefined : this.node;
  }

  /** A member of the object that this is, if it is there. Throws ApiError where something else is. */
  member(key: string): Param {
    if (this.given !== undefined) this.object();
    return new Param(this.name === '' ? key : `${this.name}.${key}`, member(this.node, key));
  }

  /** Throws ApiError for anything but a string, and so on for the other kinds. */
  string(): JsonString {
    const { given } = this;
    if (given?.kind !== 'string') throw this.#wrong('a string');
    return given;
  }

  object(): JsonObject {
    const { given } = this;
    if (given?.kind !== 'object') throw this.#wrong('an object');
    return given;
  }

  items(): Param[] {
    return this.array().items.map((item, at) => new Param(`${this.name}[${at}]`, item));
  }

  array(): JsonArray {
    const { given } = this;
    if (given?.kind !== 'array') throw this.#wrong('an array');
    return given;
  }

  number(): JsonNode {
    const { given } = this;
    if (given?.kind !== 'number') throw this.#wrong('a number');
    return given;
  }

  boolean(): boolean {
    const { given } = this;
    if (given?.kind !== 'literal' || given.value === null) throw this.#wrong('a boolean');
    return given.value;
  }

  /** The entry of a table that a string names. */
  among<T>(table: ReadonlyMap<string, T>): T {
    const word = this.string();
    const found = table.get(word.value);
    if (found !== undefined) return found;
    const known = [...table.keys()].map((key) => `'${key}'`).join(', ');
    throw this.refused(`Invalid value for '${this.name}': ${printJson(word)}. Supported: ${known}.`);
  }

  refused(message: string, code = 'invalid_value'): ApiError {
    return invalidRequest(message, this.name === '' ? null : this.name, code);
  }

  #wrong(expected: string): ApiError {
    const { given } = this;
    if (this.name === '') return this.refused(`The body must be ${expected}.`, 'invalid_type');
    if (given === undefined) {
      return this.refused(`Missing required parameter: '${this.name}'.`, 'missing_required_parameter');
    }
    const kind = given.kind === 'literal' ? 'boolean' : given.kind;
    return this.refused(
      `Invalid type for '${this.name}': expected ${expected}, but got ${/^[ao]/.test(kind) ? 'an' : 'a'} ${kind}.`,
      'invalid_type',
    );
  }
}
