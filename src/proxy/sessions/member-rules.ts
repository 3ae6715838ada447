import { type ApiError, invalidRequest } from '../http/errors.ts';
import { printMembers, type RawMember, rawItems, rawMembers } from '../shape/raw-json.ts';

/**
 * What becomes of the members of an API client's request, on every surface. The rules come from reports of users of the
 * backend, unless they say "measured".
 */

/** The members that the official client sends (measured). All others are dropped, and reported as dropped. */
const sentMembers: ReadonlySet<string> = new Set([
  'type',
  'model',
  'instructions',
  'previous_response_id',
  'input',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'reasoning',
  'store',
  'stream',
  'include',
  'service_tier',
  'prompt_cache_key',
  'text',
  'generate',
  'client_metadata',
]);

/** Members that the proxy serves itself; see stop-sequences.ts. */
const servedMembers: ReadonlySet<string> = new Set(['stop']);

/** Members that change what a response means. Without them it would silently be a different one. */
const refusedMembers: ReadonlyMap<string, string> = new Map([
  ['n', 'the backend gives one choice. Send the request several times.'],
  ['prompt', 'the backend stores no prompts. Write the text into instructions and input.'],
  ['response_format', "the Responses API has it as 'text.format'."],
]);

/** Values that ask for what happens anyway, as JSON. */
const noEffect = /^(?:null|false|\[\]|\{\})$/;
const noEffectByMember: ReadonlyMap<string, RegExp> = new Map([
  ['n', /^1$/],
  ['top_logprobs', /^0$/],
  ['presence_penalty', /^0(?:\.0*)?$/],
  ['frequency_penalty', /^0(?:\.0*)?$/],
]);

export type SortedMembers = {
  readonly sent: readonly RawMember[];
  /** The names of dropped members. A header can carry all of them. */
  readonly dropped: readonly string[];
};

/** Sorts the members of a request by these rules. Throws ApiError for a member that must not be dropped. */
export function sortMembers(members: readonly RawMember[]): SortedMembers {
  const sent: RawMember[] = [];
  const dropped = new Set<string>();
  for (const member of members) {
    const [key, value] = member;
    if (sentMembers.has(key)) {
      if (value !== 'null') sent.push(member);
    } else if (
      !servedMembers.has(key) &&
      !noEffect.test(value) &&
      noEffectByMember.get(key)?.test(value) !== true
    ) {
      const reason = refusedMembers.get(key);
      if (reason !== undefined) throw unsupported(key, reason);
      dropped.add(/^[\w.-]{1,64}$/.test(key) ? key : 'unknown');
    }
  }
  return { sent, dropped: [...dropped].slice(0, 32) };
}

function unsupported(key: string, reason: string): ApiError {
  return invalidRequest(`Unsupported parameter: '${key}': ${reason}`, key, 'unsupported_parameter');
}

/** Returns an input item for the backend. It accepts no system messages, and takes developer messages in their place. */
export function backendItem(item: string, role: string | undefined): string {
  if (role !== 'system') return item;
  return printMembers(
    (rawMembers(item) ?? []).map(([key, value]) => [key, key === 'role' ? '"developer"' : value]),
  );
}

const reasoningContent = '"reasoning.encrypted_content"';

/**
 * Returns `include` with the encrypted reasoning. The backend stores nothing, so a client that sends reasoning items
 * back can do so only with their content. The official client always asks for it (measured: codex 0.169.0).
 */
export function withReasoningContent(include: string | undefined): string {
  const items = rawItems(include ?? '[]') ?? [];
  return `[${[...items.filter((item) => item !== reasoningContent), reasoningContent].join(',')}]`;
}

/** Members of client metadata that the proxy writes: ids, times and flags of the session and the turn. */
const ownMetadata = /^(?:x-codex-.*|ws_request_header_.*|.*(?:turn|session|thread|conversation|window)_id)$/i;

/** Returns client metadata without the members that the proxy writes. Undefined if nothing is left. */
export function clientMetadata(metadata: string): string | undefined {
  const kept = (rawMembers(metadata) ?? []).filter(([key]) => !ownMetadata.test(key));
  return kept.length === 0 ? undefined : printMembers(kept);
}
