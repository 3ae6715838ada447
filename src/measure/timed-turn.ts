import { reasonOf } from '../proxy/log.ts';
import { type JsonNode, member, printJson, stringAt, tryParseJson } from '../wire/json.ts';
import { SseDecoder } from '../wire/sse.ts';

/** The tiers that are compared, as a client requests them: without `service_tier`, or with "priority". */
export const tiers = ['omitted', 'priority'] as const;
export type Tier = (typeof tiers)[number];

type TimedRequest = {
  readonly model: string;
  readonly prompt: string;
  readonly tier: Tier;
  readonly session: string;
  /** The response that the turn continues from: the session's last one. */
  readonly previousResponseId: string | undefined;
};

/** The result of a turn. Times are milliseconds since the request; on a new connection they include that and the prewarm. */
export type TimedTurn =
  | {
      readonly kind: 'measured';
      /** Until the first text of the response. */
      readonly firstToken: number;
      /** Until `response.completed`. */
      readonly total: number;
      /** The `service_tier` of `response.completed`. */
      readonly echoed: string | null;
      readonly responseId: string | undefined;
    }
  | { readonly kind: 'failed'; readonly reason: string };

/** The events that end a turn without a result. */
const failures: ReadonlySet<string> = new Set(['error', 'response.failed', 'response.incomplete']);

/** Times one turn through the proxy at `origin`. Never rejects for what the proxy or backend does: that is a failed turn. */
export async function timeTurn(
  origin: string,
  { model, prompt, tier, session, previousResponseId }: TimedRequest,
  signal: AbortSignal,
): Promise<TimedTurn> {
  const start = performance.now();
  try {
    const response = await fetch(`${origin}/v1/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'session-id': session },
      body: JSON.stringify({
        model,
        instructions: 'Answer in plain text.',
        input: prompt,
        stream: true,
        previous_response_id: previousResponseId,
        ...(tier === 'omitted' ? {} : { service_tier: tier }),
      }),
      signal,
    });
    if (!response.ok || response.body === null) {
      const text = await response.text();
      const message = stringAt(tryParseJson(text)?.node, 'error', 'message');
      return failed(`status ${response.status}: ${message ?? text}`);
    }
    return await timeStream(response.body, start);
  } catch (error) {
    return failed(reasonOf(error));
  }
}

async function timeStream(body: AsyncIterable<Uint8Array>, start: number): Promise<TimedTurn> {
  const decoder = new SseDecoder();
  let firstToken: number | undefined;
  for await (const chunk of body) {
    const elapsed = performance.now() - start;
    for (const { data } of decoder.push(Buffer.from(chunk))) {
      const event = tryParseJson(data)?.node;
      const type = stringAt(event, 'type') ?? '';
      if (type === 'response.output_text.delta') firstToken ??= elapsed;
      if (failures.has(type)) return failed(`${type}: ${errorMessageOf(event)}`);
      if (type !== 'response.completed') continue;
      if (firstToken === undefined) return failed('the response has no text');
      const echoed = stringAt(event, 'response', 'service_tier') ?? null;
      const responseId = stringAt(event, 'response', 'id');
      return { kind: 'measured', firstToken, total: elapsed, echoed, responseId };
    }
  }
  return failed('the response ended before response.completed');
}

function errorMessageOf(event: JsonNode | undefined): string {
  const message =
    stringAt(event, 'error', 'message') ??
    stringAt(event, 'message') ??
    stringAt(event, 'response', 'error', 'message') ??
    stringAt(event, 'response', 'incomplete_details', 'reason');
  return message ?? printJson(member(event, 'error') ?? { kind: 'literal', value: null });
}

function failed(reason: string): TimedTurn {
  return { kind: 'failed', reason };
}
