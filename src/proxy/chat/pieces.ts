import { type JsonNode, member, stringAt } from '../../wire/json.ts';

/** Where words of an output item go in a chat message. */
export type Slot = 'content' | 'refusal' | 'function' | 'custom';

/** Words of an output item. Items of other types, such as reasoning, have none: the chat API has no place for them. */
export type Piece = { readonly slot: Slot; readonly contentIndex: number; readonly text: string };

/** The types of tool calls, and the member that holds what the tool is given. */
const callTypes: ReadonlyMap<string, { readonly slot: 'function' | 'custom'; readonly said: string }> =
  new Map([
    ['function_call', { slot: 'function', said: 'arguments' }],
    ['custom_tool_call', { slot: 'custom', said: 'input' }],
  ]);

/** A call of a tool, without what the tool is given. */
export type Call = { readonly id: string; readonly type: 'function' | 'custom'; readonly name: string };

/** The call that an output item is; undefined for other items. */
export function callOf(item: JsonNode | undefined): Call | undefined {
  const type = callTypes.get(stringAt(item, 'type') ?? '')?.slot;
  if (type === undefined) return undefined;
  return { id: stringAt(item, 'call_id') ?? '', type, name: stringAt(item, 'name') ?? '' };
}

/** The pieces of a finished item, in their order. */
export function piecesOf(item: JsonNode | undefined): Piece[] {
  const call = callTypes.get(stringAt(item, 'type') ?? '');
  if (call !== undefined)
    return [{ slot: call.slot, contentIndex: 0, text: stringAt(item, call.said) ?? '' }];
  return itemsAt(item, 'content').flatMap(pieceOfPart);
}

function pieceOfPart(part: JsonNode, contentIndex: number): Piece[] {
  const text = stringAt(part, 'text');
  if (stringAt(part, 'type') === 'output_text' && text !== undefined) {
    return [{ slot: 'content', contentIndex, text }];
  }
  const refusal = stringAt(part, 'refusal');
  return refusal === undefined ? [] : [{ slot: 'refusal', contentIndex, text: refusal }];
}

export function itemsAt(node: JsonNode | undefined, key: string): readonly JsonNode[] {
  const items = member(node, key);
  return items?.kind === 'array' ? items.items : [];
}
