import { itemsOf, type JsonNode, jsonObject, member, stringAt, toNode } from '../../wire/json.ts';

/** One tool call as a program puts it together from its pieces. */
type CollectedCall = {
  readonly index: number;
  readonly id: string;
  readonly type: 'function' | 'custom';
  readonly name: string;
  /** The arguments of a function, or the input of a custom tool. */
  text: string;
};

/** A chat completion as a program gets it: the pieces of a stream put together by index, or a whole completion. */
export class CollectedCompletion {
  text = '';
  ending = 'none';
  #refusal = '';
  #role: string | undefined;
  #choices = 0;
  #usage: JsonNode | undefined;
  #tier: string | undefined;
  readonly #models = new Set<string>();
  readonly #objects = new Set<string>();
  readonly #annotations: JsonNode[] = [];
  readonly #calls = new Map<number, CollectedCall>();

  /** The tool calls, in the order in which they began. */
  get calls(): readonly CollectedCall[] {
    return [...this.#calls.values()];
  }

  /** Adds a chunk of a stream, or a whole completion. */
  add(completion: object): void {
    const node = toNode(completion);
    for (const [key, values] of [
      ['model', this.#models],
      ['object', this.#objects],
    ] as const) {
      values.add(stringAt(node, key) ?? 'none');
    }
    this.#tier = stringAt(node, 'service_tier') ?? this.#tier;
    const usage = member(node, 'usage');
    if (usage?.kind === 'object') this.#usage = usage;
    const choices = itemsOf(member(node, 'choices'));
    this.#choices = Math.max(this.#choices, choices.length);
    for (const choice of choices) this.#add(choice);
  }

  #add(choice: JsonNode): void {
    const message = member(choice, 'delta') ?? member(choice, 'message');
    this.ending = stringAt(choice, 'finish_reason') ?? this.ending;
    this.text += stringAt(message, 'content') ?? '';
    this.#refusal += stringAt(message, 'refusal') ?? '';
    this.#role ??= stringAt(message, 'role');
    this.#annotations.push(...itemsOf(member(message, 'annotations')));
    for (const [position, call] of itemsOf(member(message, 'tool_calls')).entries()) {
      const index = member(call, 'index');
      this.#addCall(index?.kind === 'number' ? Number(index.text) : position, call);
    }
  }

  /** Adds a piece of a call. The first one has its id and name. */
  #addCall(index: number, piece: JsonNode): void {
    const type = member(piece, 'custom') === undefined ? 'function' : 'custom';
    const text = stringAt(piece, type, type === 'custom' ? 'input' : 'arguments') ?? '';
    const call = this.#calls.get(index);
    if (call !== undefined) {
      call.text += text;
      return;
    }
    const [id = '', name = ''] = [stringAt(piece, 'id'), stringAt(piece, type, 'name')];
    this.#calls.set(index, { index, id, type, name, text });
  }

  /** All members but text and ending. Those that the subject left out are absent or empty. */
  members(): JsonNode {
    const list = (values: ReadonlySet<string>) => [...values].join(', ');
    return jsonObject({
      object: list(this.#objects),
      model: list(this.#models),
      service_tier: this.#tier,
      choices: this.#choices,
      role: this.#role,
      refusal: this.#refusal,
      annotations: { kind: 'array', items: this.#annotations },
      tool_calls: toNode(this.calls.map(({ text, ...call }) => ({ ...call, arguments: text }))),
      usage: this.#usage,
    });
  }
}
