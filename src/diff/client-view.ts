import type { Content, TraceEvent } from '../trace/trace-event.ts';
import { type JsonNode, printJson, stringAt } from '../wire/json.ts';
import { isModelRoute } from '../wire/route.ts';

/**
 * How an exchange ended for its client: with the last event of a response (`complete`, or `error`), an HTTP status
 * (`refused`), a close message (`closed CODE`), the end of the connection without any of them (`lost`), bytes that cannot be
 * decoded (`broken`), or not at all: the client left (`silent`).
 */
export type SeenEnd = 'complete' | 'error' | 'refused' | `closed ${number}` | 'lost' | 'broken' | 'silent';

/** What a client saw of one exchange. */
export type SeenExchange = {
  readonly method: string;
  /** Absent without a response. */
  readonly status?: number;
  /** The messages or server-sent events, or the body; ids are numbered in the order in which the client saw them. */
  readonly messages: readonly SeenMessage[];
  readonly end: SeenEnd;
};

export type SeenMessage = {
  /** The type of an event, or what else it is. */
  readonly type: string;
  readonly text: string;
};

/** What a client saw, and the ids that the backend made for it. */
export type ClientView = { readonly exchanges: readonly SeenExchange[]; readonly ids: ReadonlySet<string> };

const ids = /\b(?:[a-z]+_[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b/g;
const clocks = /(?<="created_at":|"completed_at":)\d+(?:\.\d+)?/g;

type OpenExchange = {
  readonly method: string;
  status?: number;
  readonly messages: SeenMessage[];
  end?: SeenEnd;
};

/** What the client saw in the events of a tap in front of the backend or of a subject. Pings are not part of it. */
export function clientView(events: readonly TraceEvent[]): ClientView {
  const exchanges = new Map<number, OpenExchange>();
  const lastOf = new Map<number, OpenExchange>();
  const numbers = new Map<string, string>();
  const numbered = (text: string) =>
    text.replaceAll(clocks, '0').replaceAll(ids, (id) => {
      const number = numbers.get(id) ?? `<id ${numbers.size + 1}>`;
      numbers.set(id, number);
      return number;
    });
  const seen = (node: JsonNode): SeenMessage => {
    const text = printJson(node);
    const type = stringAt(node, 'type') ?? (node.kind === 'string' ? `the text ${text}` : `the JSON ${text}`);
    return { type: type.slice(0, 80), text: numbered(text) };
  };
  for (const event of events) {
    switch (event.type) {
      case 'request': {
        if (event.target.kind !== 'string' || !isModelRoute(event.target.value)) break;
        const exchange: OpenExchange = { method: event.method, messages: [] };
        exchanges.set(event.exchange, exchange);
        lastOf.set(event.connection, exchange);
        break;
      }
      case 'response': {
        const exchange = exchanges.get(event.exchange);
        if (exchange !== undefined) exchange.status = event.status;
        break;
      }
      case 'message':
      case 'body': {
        const exchange = exchanges.get(event.exchange);
        if (exchange === undefined || event.from === 'client') break;
        if (event.type === 'message' && (event.opcode === 'ping' || event.opcode === 'pong')) break;
        if (event.content.kind === 'close') exchange.end ??= `closed ${event.content.code ?? 1005}`;
        else exchange.messages.push(...messagesOf(event.content, seen));
        if (event.type === 'body') exchange.end ??= endOfBody(exchange, event.complete);
        break;
      }
      case 'end': {
        const exchange = lastOf.get(event.connection);
        if (exchange !== undefined && event.by === 'backend') exchange.end ??= endOfBody(exchange, false);
        break;
      }
      case 'undecodable': {
        const exchange = lastOf.get(event.connection);
        if (exchange !== undefined && event.from === 'backend') exchange.end ??= 'broken';
        break;
      }
      default:
    }
  }
  return {
    exchanges: [...exchanges.values()].map(({ end, ...exchange }) => ({
      ...exchange,
      end: end ?? endOf(exchange) ?? 'silent',
    })),
    ids: new Set([...numbers.keys()].filter((id) => id.startsWith('resp_'))),
  };
}

function messagesOf(content: Content, seen: (node: JsonNode) => SeenMessage): SeenMessage[] {
  switch (content.kind) {
    case 'json':
      return [seen(content.json)];
    case 'text':
      return [seen(content.text)];
    case 'events':
      return content.events.filter(({ unfinished }) => unfinished !== true).map(({ data }) => seen(data));
    case 'bytes':
      return [{ type: `${content.bytes} bytes`, text: `${content.bytes} ${content.sha256}` }];
    case 'close':
      return [];
  }
}

function endOfBody(exchange: OpenExchange, isComplete: boolean): SeenEnd {
  const end = endOf(exchange);
  if (end === 'refused' || (end !== undefined && isComplete)) return end;
  return isComplete ? 'silent' : 'lost';
}

/** How the messages so far end a response; undefined if they do not. */
function endOf({ status, messages }: Pick<OpenExchange, 'status' | 'messages'>): SeenEnd | undefined {
  if (status !== undefined && status >= 400) return 'refused';
  const last = messages.at(-1)?.type;
  if (last === 'error' || last === 'response.failed') return 'error';
  return last === 'response.completed' || last === 'response.incomplete' ? 'complete' : undefined;
}
