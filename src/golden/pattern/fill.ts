import { createHash, randomBytes } from 'node:crypto';
import { uuid4, uuid7 } from '../../wire/ids.ts';
import { type JsonNode, jsonMember, jsonString, mapJson, member, printJson } from '../../wire/json.ts';
import { jsonMark, unescapeKey, unorderedMark, type Variable } from '../golden.ts';
import { parseTemplate, soleVariable } from './template.ts';

/**
 * Fills the variables of a golden with values: those it is given, and fresh ones of the right kind for the others.
 * One filler serves one conversation, in which a variable keeps its value.
 */
export class Filler {
  readonly #variables: ReadonlyMap<string, Variable>;
  readonly #values: Map<string, string>;
  /** Milliseconds since 1970; advanced at each reading, so that no two clocks of one conversation show the same. */
  #now: number;

  constructor(
    variables: ReadonlyMap<string, Variable>,
    values: Iterable<readonly [string, string]>,
    now = Date.now(),
  ) {
    this.#variables = variables;
    this.#values = new Map(values);
    this.#now = now;
  }

  /** The value of a variable; `authority` and secrets must have been given where they matter. */
  value(name: string): string {
    const value = this.#values.get(name) ?? this.#mint(name);
    this.#values.set(name, value);
    return value;
  }

  set(name: string, value: string): void {
    this.#values.set(name, value);
  }

  text(template: string): string {
    return parseTemplate(template)
      .map((part) => ('variable' in part ? this.value(part.variable) : part.literal))
      .join('');
  }

  node(pattern: JsonNode): JsonNode {
    return mapJson(pattern, (node) => this.#filled(node));
  }

  /** A node whose children are filled already. */
  #filled(node: JsonNode): JsonNode {
    if (node.kind === 'string') {
      const sole = soleVariable(node.value);
      if (sole !== undefined && this.#variables.get(sole)?.number)
        return { kind: 'number', text: this.value(sole) };
      return node.value.includes('{{') ? jsonString(this.text(node.value)) : node;
    }
    if (node.kind !== 'object') return node;
    const inner = member(node, jsonMark);
    if (inner !== undefined) return jsonString(printJson(inner));
    const members = node.members.filter(([key]) => key !== unorderedMark);
    return {
      kind: 'object',
      members: members.map(([key, value, spelling]) => jsonMember(unescapeKey(key), value, spelling)),
    };
  }

  #mint(name: string): string {
    this.#now += 1;
    switch (this.#variables.get(name)?.kind) {
      case 'uuid7':
        return uuid7(this.#now);
      case 'uuid4':
        return uuid4();
      case 'websocket_key':
        return randomBytes(16).toString('base64');
      case 'epoch_ms':
        return String(this.#now);
      case 'epoch_s':
        return (this.#now / 1000).toFixed(3).replace(/\.?0+$/, '');
      case 'integer':
        return '1';
      case 'hex':
        return randomBytes(16).toString('hex');
      case 'sealed':
        return `0 ${createHash('sha256').digest('hex')}`;
      case 'secret_uuid4':
        return uuid4();
      case 'secret':
        return `made-up-${name.replaceAll('_', '-')}`;
      default:
        // What the official client itself says where it cannot tell, as of a terminal (measured: codex 0.169.0).
        return 'unknown';
    }
  }
}
