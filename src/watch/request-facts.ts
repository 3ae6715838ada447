import { hash } from 'node:crypto';
import type { RequestEvent } from '../trace/trace-event.ts';
import {
  itemsOf,
  type JsonNode,
  member,
  printJson,
  stringAt,
  stringsIn,
  tryParseJson,
} from '../wire/json.ts';
import { turnMetadata } from '../wire/turn-metadata.ts';

/** What the verdicts need to know of a request for a response. */
export type RequestFacts = {
  readonly prewarm: boolean;
  readonly model: string | undefined;
  readonly effort: string | undefined;
  readonly tier: string | undefined;
  readonly cacheKey: string | undefined;
  readonly previousResponse: string | undefined;
  readonly session: string | undefined;
  readonly turn: string | undefined;
  /** Whether the input ends with the output of a tool. */
  readonly continuesTools: boolean;
  /** Whether the input has output of the model, so that it repeats a history. */
  readonly repeatsHistory: boolean;
  /** Whether it asks for a summary of the history, and whether it begins with one. */
  readonly compacts: boolean;
  readonly isCompacted: boolean;
  /** Digests of the members `tools` and `instructions`; undefined where the request has none. */
  readonly tools: string | undefined;
  readonly instructions: string | undefined;
  /** The input without the model's output, which a client sends back in another form than it came. */
  readonly history: readonly HistoryItem[];
};

/** An item of the input, by its content. Two items with one digest are equal to the model. */
export type HistoryItem = { readonly kind: PromptPart; readonly digest: string };

type PromptPart = 'tools' | 'instructions' | 'message';

/** The most items of a history that are kept, and compared. */
export const mostItems = 4096;

/** The facts of a request body; undefined if it is not a request for a response. */
export function requestFacts(body: JsonNode): RequestFacts | undefined {
  const model = stringAt(body, 'model');
  const input = itemsOf(member(body, 'input'));
  const type = stringAt(body, 'type');
  if (type !== undefined ? type !== 'response.create' : model === undefined) return undefined;
  const metadata = tryParseJson(stringAt(body, 'client_metadata', turnMetadata) ?? '')?.node;
  const inMetadata = (key: string) => stringAt(body, 'client_metadata', key) ?? stringAt(metadata, key);
  const generate = member(body, 'generate');
  return {
    prewarm: generate?.kind === 'literal' && generate.value === false,
    model,
    effort: stringAt(body, 'reasoning', 'effort'),
    tier: stringAt(body, 'service_tier'),
    cacheKey: stringAt(body, 'prompt_cache_key'),
    previousResponse: stringAt(body, 'previous_response_id'),
    session: inMetadata('session_id'),
    turn: inMetadata('turn_id') || undefined,
    continuesTools: /_output$/.test(stringAt(input.at(-1), 'type') ?? ''),
    repeatsHistory: input.some(isOfModel),
    compacts: stringAt(input.at(-1), 'type') === 'compaction_trigger',
    isCompacted: input.some((item) => /^compaction(?:_summary)?$/.test(stringAt(item, 'type') ?? '')),
    tools: digestOf(member(body, 'tools')),
    instructions: digestOf(member(body, 'instructions')),
    history: input
      .filter((one) => !isOfModel(one))
      .slice(0, mostItems)
      .map((one) => ({ kind: kindOf(one), digest: digest(contentOf(one)) })),
  };
}

/** What the headers of a request say about its sender. */
export type HeadFacts = {
  readonly session: string | undefined;
  readonly thread: string | undefined;
  /** The kind of the subagent; empty for the thread of the user. */
  readonly agent: string;
  readonly client: string | undefined;
  readonly version: string | undefined;
  readonly hint: string | undefined;
  /** Whether it names an account of ChatGPT: clients with an API key do not. */
  readonly namesAccount: boolean;
};

/** The facts of the head of a request. */
export function headFacts({ headers }: RequestEvent): HeadFacts {
  const text = (name: RegExp) => {
    const value = headers.find(([actual]) => name.test(actual))?.[1];
    return value?.kind === 'string' ? value.value : undefined;
  };
  const metadata = tryParseJson(text(/^x-codex-turn-metadata$/i) ?? '')?.node;
  const agent = text(/^user-agent$/i);
  const [, product, productVersion] = /^([^\s/]+)\/(\S+)/.exec(agent ?? '') ?? [];
  return {
    session: text(/^session[-_]id$/i) ?? stringAt(metadata, 'session_id'),
    thread: text(/^thread[-_]id$/i) ?? stringAt(metadata, 'thread_id'),
    agent: text(/^x-openai-subagent$/i) ?? stringAt(metadata, 'subagent_kind') ?? '',
    client: text(/^originator$/i) ?? product ?? agent,
    version: text(/^version$/i) ?? productVersion,
    hint: text(/^x-codex-routing-hint$/i),
    namesAccount: text(/^chatgpt-account-id$/i) !== undefined,
  };
}

/** Empty tools and instructions are the same as none. */
function digestOf(node: JsonNode | undefined): string | undefined {
  const isEmpty =
    node === undefined ||
    (node.kind === 'string' && node.value === '') ||
    (node.kind === 'array' && node.items.length === 0);
  return isEmpty ? undefined : digest(node);
}

/** Items that the model made. What a client sends back of them lacks ids and states, or has others. */
function isOfModel(item: JsonNode): boolean {
  const type = stringAt(item, 'type') ?? 'message';
  return type === 'message' ? stringAt(item, 'role') === 'assistant' : /_call$|^reasoning$/.test(type);
}

function kindOf(item: JsonNode): PromptPart {
  if (member(item, 'tools') !== undefined) return 'tools';
  return /^(?:developer|system)$/.test(stringAt(item, 'role') ?? '') ? 'instructions' : 'message';
}

/** The part of an item that the model reads: ids and metadata differ each time that the item is sent. */
function contentOf(item: JsonNode): JsonNode {
  return member(item, 'content') ?? member(item, 'output') ?? member(item, 'tools') ?? item;
}

function digest(node: JsonNode): string {
  const text = node.kind === 'array' ? stringsIn(node).join('\n') : printJson(node);
  return hash('sha1', text).slice(0, 16);
}
