import type { Content } from '../../trace/trace-event.ts';
import { type JsonNode, jsonString } from '../../wire/json.ts';
import { brief } from './mismatch.ts';
import type { Payload } from './split-exchange.ts';

/** The content as one node, so that contents of different kinds can be compared too. */
export function contentNode(content: Content): JsonNode {
  switch (content.kind) {
    case 'json':
      return content.json;
    case 'text':
      return content.text;
    case 'events':
      return { kind: 'array', items: content.events.map(({ data }) => data) };
    case 'bytes':
      return jsonString(`${content.bytes} bytes, sha256 ${content.sha256}`);
    case 'close':
      return jsonString(`close ${content.code ?? ''}`);
  }
}

/** What was said, as a reader wants it. */
export function describe(step: Payload): string {
  if (step.type === 'message' && step.content.kind === 'close')
    return `close ${step.content.code ?? 'without a code'}`;
  return brief(contentNode(step.content));
}
