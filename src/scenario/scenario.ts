import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Reply } from '../backend/script.ts';
import type { ConfigValue } from '../client/official.ts';
import { ParityError } from '../errors.ts';
import { FieldError, Fields } from '../trace/codec.ts';
import { type JsonNode, printJson, tryParseJson } from '../wire/json.ts';

/** A scripted exchange: what the client is told to do, and what the backend answers. One file each. */
export type Scenario = {
  readonly name: string;
  /** One line: what is to be learned from it. */
  readonly why: string;
  readonly client: { readonly prompt: string; readonly config: Readonly<Record<string, ConfigValue>> };
  readonly backend: readonly Reply[];
};

/** The scenarios that come with the program. */
export const scenarioFolder = join(import.meta.dirname, '..', '..', 'fixtures', 'scenarios');

export function scenarioNames(): string[] {
  return readdirSync(scenarioFolder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

/** Reads a scenario by its name. Throws ParityError for an unknown name or a file that is no scenario. */
export function loadScenario(name: string): Scenario {
  const path = join(scenarioFolder, `${name}.json`);
  if (!scenarioNames().includes(name) || !existsSync(path)) {
    throw new ParityError(
      'unknown-scenario',
      `there is no scenario "${name}": choose from ${scenarioNames().join(', ')}`,
    );
  }
  const document = tryParseJson(readFileSync(path, 'utf8'))?.node;
  try {
    if (document === undefined) throw new FieldError('it is not JSON');
    return decodeScenario(new Fields(document));
  } catch (error) {
    if (error instanceof FieldError)
      throw new ParityError('file-corrupt', `scenario ${path}: ${error.message}`);
    throw error;
  }
}

/** The texts of a scenario, which are our own and so stay readable in what is recorded. */
export function ownTexts({ client, backend }: Scenario): string[] {
  return [client.prompt, ...backend.map((reply) => (reply.reply === 'text' ? reply.text : reply.command))];
}

function decodeScenario(fields: Fields): Scenario {
  const client = new Fields(fields.node('client'));
  return {
    name: fields.text('name'),
    why: fields.text('why'),
    client: { prompt: client.text('prompt'), config: decodeConfig(client.node('config')) },
    backend: fields.list('backend').map((node) => decodeReply(new Fields(node))),
  };
}

function decodeConfig(node: JsonNode): Record<string, ConfigValue> {
  if (node.kind !== 'object') throw new FieldError('"config" must be an object');
  return Object.fromEntries(node.members.map(([key, value]) => [key, decodeValue(key, value)]));
}

function decodeValue(key: string, node: JsonNode): ConfigValue {
  if (node.kind === 'string') return node.value;
  if (node.kind === 'number') return Number(node.text);
  if (node.kind === 'literal' && node.value !== null) return node.value;
  throw new FieldError(`"config.${key}" must be a string, a number or a boolean, not ${printJson(node)}`);
}

function decodeReply(fields: Fields): Reply {
  const reply = fields.oneOf('reply', ['text', 'tool_call'] as const);
  if (reply === 'text') return { reply, text: fields.text('text') };
  return {
    reply,
    style: fields.oneOf('style', ['custom', 'function'] as const),
    command: fields.text('command'),
  };
}
