import type { Content } from '../../trace/trace-event.ts';
import { type JsonNode, jsonString } from '../../wire/json.ts';

/** Content as one node, so that contents of different kinds can be compared too. */
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
      return jsonString(
        `close ${content.code ?? ''}${content.reason === undefined ? '' : ` ${reasonText(content.reason)}`}`,
      );
  }
}

/** The reason of a close message. */
export function reasonText(reason: JsonNode): string {
  return reason.kind === 'string' ? reason.value : '';
}
