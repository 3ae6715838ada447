import { tryParseJson } from '../../wire/json.ts';
import { proxyError } from '../http/errors.ts';
import { printMembers, type RawMember, rawMember, rawMembers, rawString } from '../shape/raw-json.ts';
import { readRequest } from '../shape/read-request.ts';
import { requestTier, type WireTier } from '../shape/tier.ts';
import { unsupportedParams } from '../shape/unsupported-params.ts';
import { turnState } from './event.ts';

/** What a client asks for in one turn. */
export type TurnRequest = {
  /** All that it says. */
  readonly said: readonly RawMember[];
  /** What of it goes upstream. */
  readonly members: readonly RawMember[];
  readonly model: string;
  readonly tier: WireTier | undefined;
  /** The items of its input, as JSON texts. */
  readonly input: readonly string[];
  /** The response it goes on from. */
  readonly previous: string | undefined;
  /** Whether it wants events; else the whole response at once. */
  readonly stream: boolean;
  /** Names of members that were left out. */
  readonly dropped: readonly string[];
  /** Whether it ends with what a tool gave back, and so goes on with the turn before. */
  readonly continues: boolean;
  /** Whether it asks for an output of a form of its own: such a turn does not go on from a prewarm. */
  readonly formatted: boolean;
};

/**
 * Whether a member says nothing. Of empty instructions the official client makes none (measured: codex 0.169.0 with
 * gpt-5.4 and `base_instructions=""`).
 */
function isEmpty([key, value]: RawMember): boolean {
  return value === 'null' || (key === 'instructions' && value === '""');
}

/**
 * Reads a request of the Responses API from a client that does not speak the official client's protocol. Throws
 * ApiError for what is no such request.
 */
export function readTurn(text: string): TurnRequest {
  const heard = readRequest(text);
  if (heard === undefined) throw proxyError(400, 'invalid_json', 'the body is not a JSON object');
  const said = heard.members;
  const model = rawString(said, 'model');
  if (model === undefined || model === '')
    throw proxyError(400, 'missing_model', 'the request names no model');
  const requestedTier = rawMember(said, 'service_tier');
  const tier = requestTier(requestedTier === undefined ? undefined : tryParseJson(requestedTier)?.node);
  const input = heard.items ?? inputItems(rawMember(said, 'input'));
  const dropped = said.flatMap(([key]) => (unsupportedParams.has(key) ? [key] : []));
  if (rawMember(said, 'store') === 'true') dropped.push('store');
  const kept = said.filter((one) => !unsupportedParams.has(one[0]) && !replaced.has(one[0]) && !isEmpty(one));
  return {
    said,
    // The backend keeps no responses, and takes no request that does not say so.
    members: [...kept, ['input', `[${input.join(',')}]`], ['store', 'false']],
    model,
    tier,
    input,
    previous: rawString(said, 'previous_response_id'),
    stream: rawMember(said, 'stream') === 'true',
    dropped,
    continues: givesOutput(input.at(-1) ?? ''),
    formatted: /"format":\{"type":"json/.test(rawMember(said, 'text') ?? ''),
  };
}

/**
 * The request that prepares a turn: without its input, and without a form of output (measured: codex 0.169.0, scenario
 * output-schema).
 */
export function prewarmOf({ members }: TurnRequest): RawMember[] {
  const prepared = members.flatMap(([key, value]): RawMember[] => {
    if (key === 'input') return [[key, '[]']];
    if (key !== 'text') return [[key, value]];
    const left = (rawMembers(value) ?? []).filter(([name]) => name !== 'format');
    return left.length === 0 ? [] : [[key, printMembers(left)]];
  });
  return [...prepared, ['generate', 'false']];
}

/** A request with the turn state in its client metadata. */
export function withState(members: readonly RawMember[], state: string | undefined): readonly RawMember[] {
  if (state === undefined) return members;
  const metadata = rawMembers(rawMember(members, 'client_metadata') ?? '{}') ?? [];
  const others = members.filter(([key]) => key !== 'client_metadata');
  return [...others, ['client_metadata', printMembers([...metadata, [turnState, JSON.stringify(state)]])]];
}

/** Whether an item is what a tool gave back. */
function givesOutput(item: string): boolean {
  if (!item.includes(outputEnding)) return false;
  return rawString(rawMembers(item) ?? [], 'type')?.endsWith(outputEnding) === true;
}

const outputEnding = '_call_output';

/** Members that are said anew in the request's place. */
const replaced: ReadonlySet<string> = new Set(['input', 'store', 'previous_response_id']);

/** The items of an input; a mere text is one message of the user's, since the backend takes lists only. */
function inputItems(text: string | undefined): readonly string[] {
  if (text === undefined || text === 'null') return [];
  if (text.startsWith('"')) {
    return [`{"type":"message","role":"user","content":[{"type":"input_text","text":${text}}]}`];
  }
  throw proxyError(400, 'invalid_input', 'the input must be a text or a list of items');
}
