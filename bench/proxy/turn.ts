import { readGolden } from '../../src/golden/file.ts';
import { Filler } from '../../src/golden/pattern/fill.ts';
import type { HeaderList } from '../../src/wire/headers.ts';
import { type JsonNode, jsonString, parseJson, printJson, stringAt } from '../../src/wire/json.ts';

/** One turn as the official client sends it, for any number of sessions. */
export type BenchTurn = {
  /** Headers of the upgrade or POST, without Host. */
  readonly handshake: HeaderList;
  /** The request, about 60 KB of JSON. */
  readonly message: string;
  /** The request as an API client posts it: without members that only the official client sends. */
  readonly post: string;
};

/**
 * Fills the last turn of a golden. Sealed texts are replaced by made-up ones of the same length, so that the request is as
 * large as the real one.
 */
export async function turnOf(path: string): Promise<BenchTurn> {
  const golden = readGolden(path);
  const exchange = golden.exchanges.at(-1);
  if (exchange === undefined) throw new RangeError(`${path} has no exchange`);
  const bodies = exchange.steps.flatMap((step) =>
    step.type !== 'response' && step.from === 'client' && step.content.kind === 'json'
      ? [step.content.json]
      : [],
  );
  const filler = new Filler(golden.variables, [['authority', 'localhost']]);
  const body = unsealed(filler.node(without(bodies.at(-1), ['previous_response_id'])));
  const handshake = exchange.request.headers.flatMap(([name, value]): HeaderList => {
    const filled = filler.node(value);
    const text = filled.kind === 'string' ? filled.value : printJson(filled);
    return /^host$/i.test(name) ? [] : [[name, text]];
  });
  return {
    handshake,
    message: printJson(body),
    post: printJson(without(body, ['type', 'client_metadata', 'prompt_cache_key'])),
  };
}

/**
 * Returns the turn with another session id of the same length. An API client sends no session id, so its conversation
 * gets a different first message.
 */
export function forSession(turn: BenchTurn, session: string): BenchTurn {
  const own = stringAt(parseJson(turn.message).node, 'prompt_cache_key') ?? '';
  const replaced = (text: string) => text.replaceAll(own, session);
  return {
    handshake: turn.handshake.map(([name, value]) => [name, replaced(value)]),
    message: replaced(turn.message),
    post: turn.post.replaceAll('"text":"', `"text":"${session} `),
  };
}

function without(node: JsonNode | undefined, keys: readonly string[]): JsonNode {
  if (node?.kind !== 'object') throw new RangeError('the request is not a JSON object');
  return { kind: 'object', members: node.members.filter(([key]) => !keys.includes(key)) };
}

/** Replaces each seal by text of the length that it states. */
function unsealed(node: JsonNode): JsonNode {
  switch (node.kind) {
    case 'string':
      return jsonString(
        node.value.replaceAll(/<<sealed (?:\w+ )?(\d+) [0-9a-f]{64}>>/g, (_, bytes) => prose(Number(bytes))),
      );
    case 'array':
      return { kind: 'array', items: node.items.map(unsealed) };
    case 'object':
      return { kind: 'object', members: node.members.map(([key, value]) => [key, unsealed(value)]) };
    default:
      return node;
  }
}

const words = [
  'the',
  'model',
  'may',
  'run',
  'commands',
  'in',
  'a',
  'shell',
  'and',
  'read',
  'files',
  'of',
  'this',
];

/** Returns text that compresses about as well as prose: words in an order that does not repeat. */
function prose(bytes: number): string {
  let text = '';
  for (let seed = bytes; text.length < bytes; seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648)
    text += `${words[seed % words.length]}${seed % 7 === 0 ? `${seed % 1000}. ` : ' '}`;
  return text.slice(0, bytes);
}
