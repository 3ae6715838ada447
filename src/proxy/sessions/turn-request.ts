import { tryParseJson } from '../../wire/json.ts';
import { proxyError } from '../http/errors.ts';
import {
  printMembers,
  type RawMember,
  rawMember,
  rawMembers,
  rawString,
  readRequest,
} from '../shape/raw-json.ts';
import { requestTier, type WireTier } from '../shape/tier.ts';
import { unsupportedParams } from '../shape/unsupported-params.ts';
import { turnStateName } from './event-fields.ts';

/** A client's request to the Responses API. */
export type TurnRequest = {
  readonly clientMembers: readonly RawMember[];
  /** The members for the backend. */
  readonly members: readonly RawMember[];
  readonly model: string;
  readonly tier: WireTier | undefined;
  /** The items of the input, as JSON texts. */
  readonly input: readonly string[];
  readonly previousResponseId: string | undefined;
  /** Whether the client wants events instead of one whole response. */
  readonly stream: boolean;
  /** The names of members that were dropped because the backend refuses them. */
  readonly droppedParams: readonly string[];
  /** Whether the input ends with the output of a tool, so that the request continues the last turn. */
  readonly continuesTurn: boolean;
  /** Whether it asks for JSON output. Such a turn does not continue from the prewarm. */
  readonly hasOutputFormat: boolean;
};

/** Reads a request from a client that is not official. Throws ApiError if it is invalid. */
export function readTurnRequest(text: string): TurnRequest {
  const request = readRequest(text);
  if (request === undefined) throw proxyError(400, 'invalid_json', 'the body is not a JSON object');
  const { members } = request;
  const model = rawString(members, 'model');
  if (model === undefined || model === '') {
    throw proxyError(400, 'missing_model', 'the request names no model');
  }
  const tier = requestTier(tryParseJson(rawMember(members, 'service_tier') ?? '')?.node);
  const input = request.items ?? inputItems(rawMember(members, 'input'));
  const droppedParams = members.flatMap(([key]) => (unsupportedParams.has(key) ? [key] : []));
  if (rawMember(members, 'store') === 'true') droppedParams.push('store');
  const kept = members.filter(
    (member) => !unsupportedParams.has(member[0]) && !replacedMembers.has(member[0]) && !isEmpty(member),
  );
  return {
    clientMembers: members,
    // The backend stores no responses and refuses a request without `store: false`.
    members: [...kept, ['input', `[${input.join(',')}]`], ['store', 'false']],
    model,
    tier,
    input,
    previousResponseId: rawString(members, 'previous_response_id'),
    stream: rawMember(members, 'stream') === 'true',
    droppedParams,
    continuesTurn: isToolOutput(input.at(-1) ?? ''),
    hasOutputFormat: /"format":\{"type":"json/.test(rawMember(members, 'text') ?? ''),
  };
}

/** Members that the proxy writes itself. */
const replacedMembers: ReadonlySet<string> = new Set(['input', 'store', 'previous_response_id']);

/** The official client omits empty instructions (measured: codex 0.169.0 with gpt-5.4 and `base_instructions=""`). */
function isEmpty([key, value]: RawMember): boolean {
  return value === 'null' || (key === 'instructions' && value === '""');
}

/** Returns the items of an input that is not an array. The backend accepts only arrays, so text becomes a message. */
function inputItems(text: string | undefined): readonly string[] {
  if (text === undefined || text === 'null') return [];
  if (text.startsWith('"')) {
    return [`{"type":"message","role":"user","content":[{"type":"input_text","text":${text}}]}`];
  }
  throw proxyError(400, 'invalid_input', 'the input must be a string or an array of items');
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
