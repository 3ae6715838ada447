import { createHash, randomBytes } from 'node:crypto';
import { escapeStyle, inStyle } from '../../trace/escapes.ts';
import { uuid4, uuid5, uuid7 } from '../../wire/ids.ts';
import { type JsonNode, jsonMember, jsonString, mapJson, member, printJson } from '../../wire/json.ts';
import { jsonMark, unescapeKey, unorderedMark, type Variable } from '../golden.ts';
import { parseTemplate, soleVariable } from './template.ts';

/**
 * Fills the variables of a golden: with the given values, and with new ones of the right kind for all other variables. A
 * variable keeps its value for the life of the filler.
 */
export class Filler {
  readonly #variables: ReadonlyMap<string, Variable>;
  readonly #values: Map<string, string>;
  /** Milliseconds since 1970; advanced before each new value, so that no two clocks have the same. */
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

  /** The value of a variable. Give `authority` and secrets to the constructor; new ones are placeholders. */
  value(name: string): string {
    const value = this.#values.get(name) ?? this.#newValue(name);
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
    return mapJson(pattern, (node) => this.#fillNode(node));
  }

  /** The children of the node are filled already. */
  #fillNode(node: JsonNode): JsonNode {
    if (node.kind === 'string') {
      const sole = soleVariable(node.value);
      if (sole !== undefined && this.#variables.get(sole)?.number)
        return { kind: 'number', text: this.value(sole) };
      return node.value.includes('{{') ? inStyle(this.text(node.value), escapeStyle(node)) : node;
    }
    if (node.kind !== 'object') return node;
    const document = member(node, jsonMark);
    if (document !== undefined) return jsonString(printJson(document));
    if (!node.members.some(([key]) => key.startsWith('{{'))) return node;
    const members = node.members.filter(([key]) => key !== unorderedMark);
    return {
      kind: 'object',
      members: members.map(([key, value, spelling]) => jsonMember(unescapeKey(key), value, spelling)),
    };
  }

  #newValue(name: string): string {
    this.#now += 1;
    switch (this.#variables.get(name)?.kind) {
      case 'uuid7':
        return uuid7(this.#now);
      case 'uuid4':
      case 'secret_uuid4':
        return uuid4();
      case 'uuid5':
        return uuid5();
      case 'websocket_key':
        return randomBytes(16).toString('base64');
      case 'epoch_ms':
        return String(this.#now);
      case 'epoch_s':
        return (this.#now / 1000).toFixed(3).replace(/0{1,2}$/, '');
      case 'epoch_whole_s':
        return String(Math.floor(this.#now / 1000));
      case 'integer':
        return '1';
      case 'hex':
        return randomBytes(16).toString('hex');
      case 'sealed':
        return `0 ${createHash('sha256').digest('hex')}`;
      case 'shell_text':
        return '';
      case 'secret':
        return `made-up-${name.replaceAll('_', '-')}`;
      default:
        // The official client sends this if it cannot detect a value, such as the terminal (measured: codex 0.169.0).
        return 'unknown';
    }
  }
}
