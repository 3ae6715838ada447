import { reasonOf } from '../proxy/log.ts';
import { uuid7 } from '../wire/ids.ts';
import { type JsonNode, member, printJson, stringAt, tryParseJson } from '../wire/json.ts';
import { SseDecoder } from '../wire/sse.ts';

/** The tiers that are compared, as a client asks for them: no `service_tier` at all, or "priority". */
export const askedTiers = ['omitted', 'priority'] as const;
export type AskedTier = (typeof askedTiers)[number];

export type Question = { readonly model: string; readonly prompt: string };

/** How a turn went; times in milliseconds from the request, the connection and the prewarm included. */
export type MeasuredTurn =
  | {
      readonly kind: 'measured';
      /** To the first text of the answer. */
      readonly firstToken: number;
      /** To `response.completed`. */
      readonly total: number;
      /** The `service_tier` of `response.completed`. */
      readonly echoed: string | null;
    }
  | { readonly kind: 'failed'; readonly reason: string };

/** The events after which nothing comes that could be measured. */
const failures: ReadonlySet<string> = new Set(['error', 'response.failed', 'response.incomplete']);

/**
 * Asks a proxy for one turn in a session of its own, so that no turn has what an earlier one left behind. Never rejects
 * for what the proxy or the backend does: that is a failed turn.
 */
export async function askTurn(
  origin: string,
  { model, prompt }: Question,
  asked: AskedTier,
  signal: AbortSignal,
): Promise<MeasuredTurn> {
  const begun = performance.now();
  try {
    const response = await fetch(`${origin}/v1/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'session-id': uuid7() },
      body: JSON.stringify({
        model,
        instructions: 'Answer in plain text.',
        input: prompt,
        stream: true,
        ...(asked === 'omitted' ? {} : { service_tier: asked }),
      }),
      signal,
    });
    if (!response.ok || response.body === null) {
      const text = await response.text();
      const error = tryParseJson(text)?.node;
      return failed(`status ${response.status}: ${stringAt(error, 'error', 'message') ?? text}`);
    }
    return await timed(response.body, begun);
  } catch (error) {
    return failed(reasonOf(error));
  }
}

async function timed(body: AsyncIterable<Uint8Array>, begun: number): Promise<MeasuredTurn> {
  const decoder = new SseDecoder();
  let firstToken: number | undefined;
  for await (const chunk of body) {
    const now = performance.now() - begun;
    for (const { data } of decoder.push(Buffer.from(chunk))) {
      const event = tryParseJson(data)?.node;
      const type = stringAt(event, 'type') ?? '';
      if (type === 'response.output_text.delta') firstToken ??= now;
      if (failures.has(type)) return failed(`${type}: ${wordsOf(event)}`);
      if (type !== 'response.completed') continue;
      if (firstToken === undefined) return failed('the answer has no text');
      return {
        kind: 'measured',
        firstToken,
        total: now,
        echoed: stringAt(event, 'response', 'service_tier') ?? null,
      };
    }
  }
  return failed('the answer ended before response.completed');
}

/** What an event says went wrong. */
function wordsOf(event: JsonNode | undefined): string {
  const words = [
    stringAt(event, 'error', 'message'),
    stringAt(event, 'message'),
    stringAt(event, 'response', 'error', 'message'),
    stringAt(event, 'response', 'incomplete_details', 'reason'),
  ].find((text) => text !== undefined);
  return words ?? printJson(member(event, 'error') ?? { kind: 'literal', value: null });
}

function failed(reason: string): MeasuredTurn {
  return { kind: 'failed', reason };
}
