import { itemsOf, type JsonNode, member, stringAt } from '../../wire/json.ts';

/** The member of a chat message that text belongs to. */
export type TextSlot = 'content' | 'refusal' | 'function' | 'custom';

/** Text of an output item. Items such as reasoning have none: the chat API has no member for them. */
export type OutputText = { readonly slot: TextSlot; readonly contentIndex: number; readonly text: string };

/** A tool call, without its arguments. */
export type CalledTool = { readonly id: string; readonly type: 'function' | 'custom'; readonly name: string };

type CallFields = { readonly type: CalledTool['type']; readonly argumentsKey: string };

/** The items that are tool calls. */
const callItems: ReadonlyMap<string, CallFields> = new Map([
  ['function_call', { type: 'function', argumentsKey: 'arguments' }],
  ['custom_tool_call', { type: 'custom', argumentsKey: 'input' }],
]);

/** Returns the tool that an item calls, or undefined for other items. */
export function calledTool(item: JsonNode | undefined): CalledTool | undefined {
  const type = callItems.get(stringAt(item, 'type') ?? '')?.type;
  if (type === undefined) return undefined;
  return { id: stringAt(item, 'call_id') ?? '', type, name: stringAt(item, 'name') ?? '' };
}

/** Returns the texts of a complete item in order. */
export function textsOf(item: JsonNode | undefined): OutputText[] {
  const call = callItems.get(stringAt(item, 'type') ?? '');
  if (call !== undefined) {
    return [{ slot: call.type, contentIndex: 0, text: stringAt(item, call.argumentsKey) ?? '' }];
  }
  return itemsOf(member(item, 'content')).flatMap(textsOfPart);
}

function textsOfPart(part: JsonNode, contentIndex: number): OutputText[] {
  const text = stringAt(part, 'text');
  if (stringAt(part, 'type') === 'output_text' && text !== undefined) {
    return [{ slot: 'content', contentIndex, text }];
  }
  const refusal = stringAt(part, 'refusal');
  return refusal === undefined ? [] : [{ slot: 'refusal', contentIndex, text: refusal }];
}

/** Returns the output items of a response. */
export function outputItems(response: JsonNode | undefined): readonly JsonNode[] {
  return itemsOf(member(response, 'output'));
}
