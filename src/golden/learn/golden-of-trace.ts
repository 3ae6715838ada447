import { randomBytes } from 'node:crypto';
import { isUuid5, isUuid7, timeOfUuid7, uuid4, uuid5, uuid7 } from '../../wire/ids.ts';
import { type JsonNode, jsonString, mapJson } from '../../wire/json.ts';
import type { Golden, GoldenId } from '../golden.ts';
import { type Exchange, mapExchange } from '../trace/exchanges.ts';
import { generalise } from './generalise.ts';

/**
 * The golden of a single trace, for a replay with new ids. One recording does not show what varies, so only values with
 * the form of an id, a clock or a websocket key become variables; everything else stays as recorded.
 */
export function goldenOfTrace(id: GoldenId, exchanges: readonly Exchange[]): Golden {
  const renewed = new Map<string, string>();
  const renew = (text: string, make: () => string) => {
    const value = renewed.get(text) ?? make();
    renewed.set(text, value);
    return value;
  };
  const renewText = (text: string) =>
    text
      .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[457][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g, (uuid) =>
        renew(uuid, () => otherUuid(uuid)),
      )
      .replaceAll(/(?<=[a-z]_)[0-9a-f]{16,}\b/g, (hex) =>
        renew(hex, () => randomBytes(hex.length).toString('hex').slice(0, hex.length)),
      )
      .replaceAll(/^[A-Za-z0-9+/]{21}[AQgw]==$/g, (key) =>
        renew(key, () => randomBytes(16).toString('base64')),
      )
      .replaceAll(/^1[5-9]\d{11}$/g, (clock) => renew(clock, () => String(Number(clock) + 1)));
  const renewNode = (node: JsonNode): JsonNode => {
    const text = node.kind === 'string' ? renewText(node.value) : '';
    return node.kind !== 'string' || text === node.value ? node : jsonString(text);
  };
  const other = exchanges.map((exchange) => mapExchange(exchange, (value) => mapJson(value, renewNode)));
  return generalise(id, [exchanges, other]);
}

function otherUuid(uuid: string): string {
  if (isUuid7(uuid)) return uuid7(timeOfUuid7(uuid));
  return isUuid5(uuid) ? uuid5() : uuid4();
}
