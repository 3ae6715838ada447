import type { ClientRefusal, ComparedValue, Difference, PathKey, Place } from '../golden/match/mismatch.ts';
import { kinds } from '../golden/pattern/kinds.ts';
import { type JsonNode, printJson } from '../wire/json.ts';
import { count } from './count.ts';

/** A place in one line, such as `exchange 1 › client message 2 › client_metadata.thread_id`. */
export function placeText(place: Place): string {
  const { mode, exchange, path } = place;
  return [
    ...(mode === undefined ? [] : [mode]),
    `exchange ${exchange}`,
    partText(place),
    ...(path.length === 0 ? [] : [pathText(path)]),
  ].join(' › ');
}

function partText(place: Place): string {
  switch (place.part) {
    case 'exchange':
      return 'request';
    case 'handshake':
    case 'response':
    case 'connection':
      return place.part;
    case 'message': {
      const { side, number, type } = place;
      return `${side} message ${number}${type === undefined ? '' : ` (${type})`}`;
    }
    case 'body':
      return `${place.side} body`;
    case 'ending':
      return 'end of the response';
    case 'result':
      return "library's result";
  }
}

function pathText(path: readonly PathKey[]): string {
  return path.join('.');
}

/** A node in at most `maxLength` characters, from the one at index `from`. */
export function brief(node: JsonNode, maxLength = 120, from = 0): string {
  const text = printJson(node);
  if (text.length <= maxLength) return text;
  const end = from + maxLength < text.length ? '…' : '';
  return `${from > 0 ? '…' : ''}${text.slice(from, from + maxLength)}${end} (${text.length} characters)`;
}

/** The two sides of a difference as text; null where there is nothing to show. */
export type DifferenceText = { readonly expected: string | null; readonly actual: string | null };

export function differenceText(difference: Difference): DifferenceText {
  switch (difference.kind) {
    case 'missing': {
      const { expected, instead } = difference;
      return { expected: valueText(expected), actual: instead === undefined ? null : valueText(instead) };
    }
    case 'added':
      return { expected: null, actual: valueText(difference.actual) };
    case 'renamed':
      return { expected: difference.from, actual: difference.to };
    case 'recased': {
      const list = (side: 'from' | 'to') => difference.names.map((name) => name[side]).join(', ');
      return { expected: list('from'), actual: list('to') };
    }
    case 'moved':
      if ('item' in difference) {
        const { item, from, to } = difference;
        return { expected: `item ${from}`, actual: `item ${to}: ${brief(item)}` };
      }
      return { expected: difference.order.expected.join(', '), actual: difference.order.actual.join(', ') };
    case 'changed':
    case 'retyped':
      return contrast(difference.expected, difference.actual);
    case 'respelled':
      return { expected: spellingText(difference, 'expected'), actual: spellingText(difference, 'actual') };
    case 'reframed': {
      const { aspect, expected, actual } = difference;
      return { expected: framingText(aspect, expected), actual: framingText(aspect, actual) };
    }
    case 'disagrees': {
      const { variable, value, valueAt, valueHere, variableHere } = difference;
      return {
        expected: `${variable}, which is ${value} at ${placeText(valueAt)}`,
        actual: variableHere === undefined ? valueHere : `${valueHere}, which is ${variableHere}`,
      };
    }
    case 'repeated': {
      const { variable, otherVariable, value } = difference;
      return {
        expected: `a value of its own: ${variable} differs from ${otherVariable} in every recording`,
        actual: value,
      };
    }
  }
}

function valueText(value: ComparedValue): string {
  switch (value.type) {
    case 'json':
      return brief(value.node);
    case 'request':
      return `${value.method} ${value.target}`;
    case 'close':
      return `close ${value.code ?? 'without a code'}${value.reason === undefined ? '' : ` ${value.reason}`}`;
    case 'incomplete response':
      return 'a response that breaks off';
    case 'connection end':
      return value.by === 'client'
        ? 'the client ends the connection'
        : 'the end of the connection, without a close message';
    case 'variable':
      return `${value.variable}: ${kinds[value.variableKind].description}`;
    case 'members':
      return value.members
        .map(
          ({ path, value: node }) => `${pathText(path)} ${node === undefined ? 'missing' : plainText(node)}`,
        )
        .join(', ');
    case 'library response':
      return value.ending === undefined ? 'a response' : `a response: ${value.ending}`;
    case 'library error': {
      const { error, message } = value;
      if (message !== undefined) return `an error: ${message}`;
      return error === undefined ? 'an error: the response broke off' : `an error: ${brief(error)}`;
    }
    case 'own credentials':
      return 'the credentials of the sign-in';
    case 'whole scenario':
      return 'the scenario, played to its end';
    case 'subject behaviour': {
      const { requests, failure, refusal } = value;
      const sent = requests.length === 0 ? 'no request' : `only ${requests.join(', ')}`;
      const parts = [
        ...(failure === undefined || requests.length > 0 ? [sent] : []),
        ...(failure === undefined ? [] : [failure]),
        ...(refusal === undefined || refusal.text === '' ? [] : [refusalText(refusal)]),
      ];
      return parts.join('; ');
    }
  }
}

function refusalText({ status, text }: ClientRefusal): string {
  return `its client received ${status === undefined ? '' : `${status} `}${text}`;
}

function plainText(node: JsonNode): string {
  if (node.kind !== 'string') return brief(node);
  return node.value === '' ? 'empty' : brief(node);
}

/** Two long JSON texts are shown around their first difference. */
function contrast(expected: ComparedValue, actual: ComparedValue): DifferenceText {
  if (expected.type !== 'json' || actual.type !== 'json')
    return { expected: valueText(expected), actual: valueText(actual) };
  const lengths = sealedLengths(expected.node, actual.node);
  if (lengths !== undefined) return lengths;
  const [before, after] = [printJson(expected.node), printJson(actual.node)];
  let same = 0;
  while (same < before.length && before[same] === after[same]) same += 1;
  const from = same < 100 ? 0 : same - 40;
  return { expected: brief(expected.node, 120, from), actual: brief(actual.node, 120, from) };
}

/** Two sealed texts are compared by their lengths: nothing else can be read. */
function sealedLengths(expected: JsonNode, actual: JsonNode): DifferenceText | undefined {
  const [before, after] = [sealedBytes(expected), sealedBytes(actual)];
  if (before === undefined || after === undefined) return undefined;
  const difference = after - before;
  const relation =
    difference === 0
      ? 'another text of the same length'
      : `${count(Math.abs(difference), 'byte')} ${difference > 0 ? 'longer' : 'shorter'}`;
  return { expected: `a text of ${count(before, 'byte')}`, actual: relation };
}

/** Whether a value is a sealed text. */
export function isSealed(node: JsonNode | undefined): boolean {
  return node !== undefined && sealedBytes(node) !== undefined;
}

function sealedBytes(node: JsonNode): number | undefined {
  if (node.kind !== 'string') return undefined;
  const [, bytes] = /^<<sealed (?:\S+ )?(\d+) [0-9a-f]{64}>>$/.exec(node.value) ?? [];
  return bytes === undefined ? undefined : Number(bytes);
}

function spellingText(
  difference: Extract<Difference, { kind: 'respelled' }>,
  side: 'expected' | 'actual',
): string {
  if (difference.spelling === 'white space')
    return difference[side] ? 'JSON with white space' : 'JSON without white space';
  const text = difference[side];
  return difference.spelling === 'key' ? `key ${text}` : text;
}

function framingText(aspect: string, value: string | number | boolean): string {
  if (aspect === 'complete') return value === true ? 'a complete body' : 'a body that breaks off';
  if (aspect === 'finished')
    return `an event ${value === true ? 'with' : 'without'} the empty line that ends it`;
  if (aspect === 'largestFrame') return `DATA frames of up to ${value} bytes`;
  if (aspect === 'endsEmpty')
    return value === true ? 'an empty DATA frame at the end' : 'the last bytes with the end of the stream';
  if (aspect === 'trailers') return value === 'none' ? 'no trailers' : `trailers ${value}`;
  return `${aspect}: ${value}`;
}
