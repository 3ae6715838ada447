import { mostMembers } from '../http/body.ts';
import { proxyError } from '../http/errors.ts';
import {
  parsedMember,
  printMembers,
  type RawMember,
  rawMember,
  rawMembers,
  rawString,
  readRequest,
  roleOf,
} from '../shape/raw-json.ts';
import type { Shape } from '../shape/shape.ts';
import { requestTier } from '../shape/tier.ts';
import { turnStateName } from './event-fields.ts';
import { backendItem, clientMetadata, sortMembers, withReasoningContent } from './member-rules.ts';
import { readStop } from './stop-sequences.ts';

/** A client's request to the Responses API. */
export type TurnRequest = {
  readonly clientMembers: readonly RawMember[];
  /** The members for the backend. */
  readonly members: readonly RawMember[];
  readonly model: string;
  readonly tier: string | undefined;
  /** The items of the input, as JSON texts. */
  readonly input: readonly string[];
  /** The index of its first item with the role `user`; -1 if there is none. */
  readonly firstOfUser: number;
  readonly previousResponseId: string | undefined;
  /** Whether the client names a conversation, and expects the backend to know its earlier turns. */
  readonly hasConversation: boolean;
  /** Whether the client may expect that its response is stored: it did not send `store: false`. */
  readonly isStored: boolean;
  /** Whether the client wants events instead of one whole response. */
  readonly stream: boolean;
  /** The texts at which the output ends. */
  readonly stop: readonly string[];
  /** The names of members that were dropped; see member-rules.ts. */
  readonly droppedParams: readonly string[];
  /** Whether the input ends with the output of a tool, so that the request continues the last turn. */
  readonly continuesTurn: boolean;
  /** Whether it asks for JSON output. Such a turn does not continue from the prewarm. */
  readonly hasOutputFormat: boolean;
};

/** Reads a request from a client that is not official. Throws ApiError if it is invalid. */
export function readTurnRequest(text: string, shape: Pick<Shape, 'isLite'>): TurnRequest {
  const request = readRequest(text);
  if (request === undefined) {
    throw proxyError(400, 'invalid_json', `the body is not a JSON object of up to ${mostMembers} members`);
  }
  const { members } = request;
  const model = rawString(members, 'model');
  if (model === undefined || model === '') {
    throw proxyError(400, 'missing_model', 'the request names no model');
  }
  const tier = requestTier(parsedMember(members, 'service_tier'));
  const { sent, dropped } = sortMembers(members);
  const items = request.items ?? inputItems(rawMember(members, 'input'));
  const roles = items.map(roleOf);
  const input = items.map((item, at) => backendItem(item, roles[at]));
  const previousResponseId = rawString(members, 'previous_response_id');
  const kept = new Map(sent);
  const instructions = kept.get('instructions') ?? '""';
  // A model that is not lite is refused without instructions (reported). A lite model has none (measured: codex 0.169.0).
  if (instructions !== '""' || !shape.isLite(model)) kept.set('instructions', instructions);
  else kept.delete('instructions');
  const isAsSent = items === request.items && input.every((item, at) => item === items[at]);
  // Without blanks between the items, the client's own text is as long as theirs together.
  const length = input.reduce((sum, item) => sum + item.length + 1, input.length === 0 ? 2 : 1);
  if (!isAsSent || kept.get('input')?.length !== length) kept.set('input', `[${input.join(',')}]`);
  // The backend stores no responses and refuses a request without `store: false`.
  kept.set('store', 'false');
  kept.set('include', withReasoningContent(kept.get('include')));
  kept.delete('previous_response_id');
  const metadata = clientMetadata(kept.get('client_metadata') ?? '');
  if (metadata === undefined) kept.delete('client_metadata');
  else kept.set('client_metadata', metadata);
  return {
    clientMembers: members,
    members: [...kept],
    model,
    tier,
    input,
    firstOfUser: roles.indexOf('user'),
    hasConversation: (rawMember(members, 'conversation') ?? 'null') !== 'null',
    previousResponseId: previousResponseId === '' ? undefined : previousResponseId,
    isStored: rawMember(members, 'store') !== 'false',
    stream: rawMember(members, 'stream') === 'true',
    stop: readStop(rawMember(members, 'stop')),
    droppedParams: rawMember(members, 'store') === 'true' ? [...dropped, 'store'] : dropped,
    continuesTurn: isToolOutput(input.at(-1) ?? ''),
    hasOutputFormat: /"format":\{"type":"json/.test(rawMember(members, 'text') ?? ''),
  };
}

/** Returns the items of an input that is not an array. The backend accepts only arrays, so text becomes a message. */
function inputItems(text: string | undefined): readonly string[] {
  if (text === undefined || text === 'null') return [];
  if (text.startsWith('"')) {
    return [`{"type":"message","role":"user","content":[{"type":"input_text","text":${text}}]}`];
  }
  throw proxyError(400, 'invalid_input', 'the input must be a string or an array of items');
}

/** Whether a request has nothing of an earlier turn. */
export function startsConversation({ input, previousResponseId }: TurnRequest): boolean {
  const isPrompt = (item: string) =>
    /^(?:user|developer)$/.test(rawString(rawMembers(item) ?? [], 'role') ?? '');
  return previousResponseId === undefined && input.every(isPrompt);
}

const toolOutputSuffix = '_call_output';

function isToolOutput(item: string): boolean {
  // Parsing a long item takes time, and most items are not tool output.
  if (!item.includes(toolOutputSuffix)) return false;
  return rawString(rawMembers(item) ?? [], 'type')?.endsWith(toolOutputSuffix) === true;
}

/**
 * Returns the prewarm for a request: the request without input and output format (measured: codex 0.169.0, scenario
 * output-schema).
 */
export function prewarmMembers({ members }: TurnRequest): RawMember[] {
  const prepared = members.flatMap(([key, value]): RawMember[] => {
    if (key === 'input') return [[key, '[]']];
    if (key !== 'text') return [[key, value]];
    const left = (rawMembers(value) ?? []).filter(([name]) => name !== 'format');
    return left.length === 0 ? [] : [[key, printMembers(left)]];
  });
  return [...prepared, ['generate', 'false']];
}

/**
 * Returns the request for a connection whose last response is known. It continues from the previous response if the
 * connection has that, or if the full input is unknown. Otherwise it has the full input.
 */
export function continuedMembers(
  request: TurnRequest,
  fullInput: readonly string[] | undefined,
  lastResponseId: string | undefined,
): readonly RawMember[] {
  const { members, previousResponseId } = request;
  if (previousResponseId === undefined) return members;
  if (previousResponseId === lastResponseId || fullInput === undefined) {
    return chainedMembers(request, previousResponseId);
  }
  return members.map(([key, value]) => (key === 'input' ? [key, `[${fullInput.join(',')}]`] : [key, value]));
}

export function chainedMembers({ members }: TurnRequest, responseId: string): RawMember[] {
  return [...members, ['previous_response_id', JSON.stringify(responseId)]];
}

export function withTurnState(
  members: readonly RawMember[],
  state: string | undefined,
): readonly RawMember[] {
  if (state === undefined) return members;
  const metadata = rawMembers(rawMember(members, 'client_metadata') ?? '{}') ?? [];
  const others = members.filter(([key]) => key !== 'client_metadata');
  const extended = printMembers([...metadata, [turnStateName, JSON.stringify(state)]]);
  return [...others, ['client_metadata', extended]];
}
