import { type JsonNode, member } from './json.ts';

/** Valid JSON that does not have the form its format requires. The message names the member. */
export class FieldError extends Error {
  override readonly name = 'FieldError';
}

/**
 * Typed access to the members of an object. Each method throws a FieldError when the member is missing or has another
 * type.
 */
export class Fields {
  readonly #object: JsonNode;

  constructor(object: JsonNode) {
    if (object.kind !== 'object') throw new FieldError('expected an object');
    this.#object = object;
  }

  has(key: string): boolean {
    return member(this.#object, key) !== undefined;
  }

  node(key: string): JsonNode {
    const value = member(this.#object, key);
    if (value === undefined) throw new FieldError(`"${key}" is missing`);
    return value;
  }

  list(key: string): readonly JsonNode[] {
    const value = this.node(key);
    if (value.kind !== 'array') throw new FieldError(`"${key}" must be an array`);
    return value.items;
  }

  texts(key: string): string[] {
    return this.list(key).map((item) => {
      if (item.kind !== 'string') throw new FieldError(`"${key}" must contain only strings`);
      return item.value;
    });
  }

  text(key: string): string {
    const value = this.node(key);
    if (value.kind !== 'string') throw new FieldError(`"${key}" must be a string`);
    return value.value;
  }

  isNull(key: string): boolean {
    const value = this.node(key);
    return value.kind === 'literal' && value.value === null;
  }

  oneOf<T extends string>(key: string, choices: readonly T[]): T {
    const text = this.text(key);
    const choice = choices.find((name) => name === text);
    if (choice === undefined) throw new FieldError(`"${key}" must be one of ${choices.join(', ')}`);
    return choice;
  }

  integer(key: string): number {
    const value = this.node(key);
    const number = value.kind === 'number' ? Number(value.text) : Number.NaN;
    if (!Number.isSafeInteger(number)) throw new FieldError(`"${key}" must be an integer`);
    return number;
  }

  flag(key: string): boolean {
    const value = this.node(key);
    if (value.kind !== 'literal' || value.value === null)
      throw new FieldError(`"${key}" must be true or false`);
    return value.value;
  }
}
