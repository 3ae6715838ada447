import type {
  CallStyle,
  CloseCode,
  Faults,
  Noise,
  Recipient,
  ScriptedReply,
  ScriptedToolCall,
} from '../backend/script.ts';
import { isVersion } from '../client/install/codex-version.ts';
import { type Lane, lanes } from '../client/official/lanes.ts';
import type {
  ConfigValue,
  ImageFile,
  McpServer,
  McpTool,
  Repository,
  Task,
  TaskSetup,
  TaskStep,
} from '../client/official/task.ts';
import type { HeaderList } from '../wire/headers.ts';
import { type JsonNode, printJson } from '../wire/json.ts';
import { FieldError, Fields } from '../wire/json-fields.ts';
import type { Scenario, VersionRange } from './definition.ts';

/** The scenario of a document. Throws a FieldError that names what is missing, wrong or unknown. */
export function decodeScenario(document: JsonNode): Scenario {
  const fields = fieldsOf(document, 'a scenario', [
    ...['name', 'why', 'versions', 'lanes', 'client', 'backend', 'faults'],
  ]);
  return {
    name: fields.text('name'),
    why: fields.text('why'),
    ...(fields.has('versions') ? { versions: decodeVersions(fields.node('versions')) } : {}),
    ...(fields.has('lanes') ? { lanes: decodeLanes(fields) } : {}),
    client: decodeTask(fields.node('client')),
    backend: fields.list('backend').map(decodeReply),
    ...(fields.has('faults') ? { faults: decodeFaults(fields.node('faults')) } : {}),
  };
}

function decodeLanes(fields: Fields): Lane[] {
  return fields.list('lanes').map((node) => {
    const lane = lanes.find((one) => node.kind === 'string' && node.value === one);
    if (lane === undefined)
      throw new FieldError(`"lanes" may hold ${lanes.join(', ')}, and not ${printJson(node)}`);
    return lane;
  });
}

function decodeFaults(node: JsonNode): Faults {
  const fields = fieldsOf(node, '"faults"', ['upgrades', 'stalledPrewarms', 'refresh']);
  return {
    ...(fields.has('upgrades') ? { upgrades: fields.list('upgrades').map(statusOf) } : {}),
    ...(fields.has('stalledPrewarms') ? { stalledPrewarms: fields.integer('stalledPrewarms') } : {}),
    ...(fields.has('refresh') ? { refresh: fields.text('refresh') } : {}),
  };
}

function statusOf(node: JsonNode): number {
  const status = node.kind === 'number' ? Number(node.text) : 0;
  if (!Number.isInteger(status) || status < 400 || status > 599)
    throw new FieldError(`"upgrades" must hold HTTP statuses from 400 to 599, not ${printJson(node)}`);
  return status;
}

function decodeVersions(node: JsonNode): VersionRange {
  const fields = fieldsOf(node, '"versions"', ['from', 'to', 'why']);
  const bound = (key: 'from' | 'to') => {
    if (!fields.has(key)) return {};
    const version = fields.text(key);
    if (!isVersion(version)) throw new FieldError(`"versions.${key}" must be a version, not "${version}"`);
    return { [key]: version };
  };
  const range = { ...bound('from'), ...bound('to'), why: fields.text('why') };
  if (!fields.has('from') && !fields.has('to')) throw new FieldError('"versions" needs "from", "to" or both');
  return range;
}

function decodeTask(node: JsonNode): Task {
  const fields = fieldsOf(node, '"client"', [
    ...['prompt', 'steps', 'config', 'model', 'images', 'outputSchema', 'repository', 'mcpServers'],
    ...['expired', 'fails'],
  ]);
  if (!fields.has('steps')) return { prompt: fields.text('prompt'), ...decodeSetup(fields) };
  for (const key of ['prompt', 'images', 'outputSchema'])
    if (fields.has(key)) throw new FieldError(`"client" needs either "${key}" or "steps", not both`);
  const steps = fields.list('steps').map(decodeStep);
  if (steps[0]?.do !== 'turn')
    throw new FieldError('the first of "steps" must be a turn: it begins the thread');
  return { steps, ...decodeSetup(fields) };
}

function decodeSetup(fields: Fields): TaskSetup {
  return {
    config: decodeConfig(fields.node('config')),
    ...(fields.has('model') ? { model: fields.text('model') } : {}),
    ...(fields.has('images') ? { images: fields.list('images').map(decodeImage) } : {}),
    ...(fields.has('outputSchema') ? { outputSchema: objectText(fields, 'outputSchema') } : {}),
    ...(fields.has('repository') ? { repository: decodeRepository(fields.node('repository')) } : {}),
    ...(fields.has('mcpServers') ? { mcpServers: fields.list('mcpServers').map(decodeMcpServer) } : {}),
    ...(fields.has('expired') ? { expired: fields.flag('expired') } : {}),
    ...(fields.has('fails') ? { fails: fields.flag('fails') } : {}),
  };
}

function decodeStep(node: JsonNode): TaskStep {
  const kind = new Fields(node).oneOf('do', ['turn', 'review', 'compact', 'resume'] as const);
  if (kind === 'review') {
    return { do: kind, instructions: fieldsOf(node, 'a step', ['do', 'instructions']).text('instructions') };
  }
  if (kind !== 'turn') {
    fieldsOf(node, 'a step', ['do']);
    return { do: kind };
  }
  const fields = fieldsOf(node, 'a step', ['do', 'prompt', 'model', 'effort', 'tier', 'during']);
  return {
    do: kind,
    prompt: fields.text('prompt'),
    ...(fields.has('model') ? { model: fields.text('model') } : {}),
    ...(fields.has('effort') ? { effort: fields.text('effort') } : {}),
    ...(fields.has('tier') ? { tier: fields.text('tier') } : {}),
    ...(fields.has('during') ? { during: decodeDuring(fields) } : {}),
  };
}

function decodeDuring(fields: Fields): 'interrupt' | { readonly steer: string } {
  const node = fields.node('during');
  if (node.kind === 'object') return { steer: fieldsOf(node, '"during"', ['steer']).text('steer') };
  return fields.oneOf('during', ['interrupt'] as const);
}

function decodeConfig(node: JsonNode): Record<string, ConfigValue> {
  return Object.fromEntries(
    membersOf(node, '"config"').map(([key, value]) => [key, decodeValue(key, value)]),
  );
}

function decodeValue(key: string, node: JsonNode): ConfigValue {
  if (node.kind === 'string') return node.value;
  if (node.kind === 'number') return Number(node.text);
  if (node.kind === 'literal' && node.value !== null) return node.value;
  throw new FieldError(`"config.${key}" must be a string, a number or a boolean, not ${printJson(node)}`);
}

function decodeImage(node: JsonNode): ImageFile {
  const fields = fieldsOf(node, 'an image', ['name', 'base64']);
  const base64 = fields.text('base64');
  if (Buffer.from(base64, 'base64').toString('base64') !== base64)
    throw new FieldError('"base64" must be base64');
  return { name: fileName(fields.text('name')), base64 };
}

function decodeRepository(node: JsonNode): Repository {
  const fields = fieldsOf(node, '"repository"', ['files']);
  const files = membersOf(fields.node('files'), '"repository.files"').map(([name, text]) => {
    if (text.kind !== 'string') throw new FieldError(`"repository.files.${name}" must be a string`);
    return [fileName(name), text.value] as const;
  });
  if (files.length === 0)
    throw new FieldError('"repository.files" must hold a file: git commits nothing else');
  return { files };
}

function decodeMcpServer(node: JsonNode): McpServer {
  const fields = fieldsOf(node, 'an MCP server', ['name', 'tools']);
  return { name: identifier(fields.text('name')), tools: fields.list('tools').map(decodeMcpTool) };
}

function decodeMcpTool(node: JsonNode): McpTool {
  const fields = fieldsOf(node, 'an MCP tool', ['name', 'description', 'inputSchema', 'answer']);
  return {
    name: identifier(fields.text('name')),
    description: fields.text('description'),
    inputSchema: objectText(fields, 'inputSchema'),
    answer: fields.text('answer'),
  };
}

function decodeReply(node: JsonNode): ScriptedReply {
  const kind = new Fields(node).oneOf('reply', [
    ...(['text', 'tool_calls', 'error', 'failed', 'incomplete', 'break', 'binary', 'hold'] as const),
  ]);
  const read = (...keys: string[]) => fieldsOf(node, 'a reply', ['reply', 'to', ...keys]);
  return { ...decodeTo(new Fields(node)), ...decodeReplyOf(kind, read) };
}

function decodeTo(fields: Fields): { to?: Recipient } {
  if (!fields.has('to')) return {};
  return { to: fields.oneOf<Recipient>('to', ['turn', 'subagent', 'compaction']) };
}

/** `read` gives the fields of the reply, which may have no others than those named. */
function decodeReplyOf(reply: ScriptedReply['reply'], read: (...keys: string[]) => Fields): ScriptedReply {
  switch (reply) {
    case 'text': {
      const fields = read('text', 'turnState', 'noise', 'close');
      return {
        reply,
        text: fields.text('text'),
        ...(fields.has('turnState') ? { turnState: fields.text('turnState') } : {}),
        ...(fields.has('noise') ? { noise: fields.list('noise').map(decodeNoise) } : {}),
        ...(fields.has('close') ? { close: decodeClose(fields) } : {}),
      };
    }
    case 'tool_calls': {
      const fields = read('style', 'calls', 'turnState');
      const calls = fields.list('calls').map(decodeCall);
      if (calls.length === 0) throw new FieldError('"calls" must hold a call');
      const styles: readonly CallStyle[] = ['auto', 'custom', 'function'];
      return {
        reply,
        style: fields.has('style') ? fields.oneOf<CallStyle>('style', styles) : 'auto',
        calls,
        ...(fields.has('turnState') ? { turnState: fields.text('turnState') } : {}),
      };
    }
    case 'error': {
      const fields = read('status', 'error', 'headers');
      return {
        reply,
        status: fields.integer('status'),
        error: objectText(fields, 'error'),
        ...(fields.has('headers') ? { headers: decodeHeaders(fields.node('headers')) } : {}),
      };
    }
    case 'failed':
      return { reply, error: objectText(read('error'), 'error') };
    case 'incomplete':
      return { reply, reason: read('reason').text('reason') };
    case 'break':
      return { reply, close: decodeClose(read('close')) };
    case 'binary':
      read();
      return { reply };
    case 'hold':
      return { reply, text: read('text').text('text') };
  }
}

function decodeHeaders(node: JsonNode): HeaderList {
  return membersOf(node, '"headers"').map(([name, value]) => {
    if (value.kind !== 'string') throw new FieldError(`"headers.${name}" must be a string`);
    return [name, value.value];
  });
}

function decodeNoise(node: JsonNode): Noise {
  const known: readonly Noise[] = ['unknown-event', 'not-json', 'rate-limits'];
  const noise = known.find((one) => node.kind === 'string' && node.value === one);
  if (noise === undefined)
    throw new FieldError(`"noise" may hold ${known.join(', ')}, and not ${printJson(node)}`);
  return noise;
}

function decodeClose(fields: Fields): CloseCode {
  return fields.integerOrNull('close');
}

function decodeCall(node: JsonNode): ScriptedToolCall {
  const call = new Fields(node).oneOf('call', ['command', 'mcp', 'tool'] as const);
  if (call === 'command') {
    const fields = fieldsOf(node, 'a call', ['call', 'command', 'output']);
    return { call, command: fields.text('command'), output: fields.text('output') };
  }
  if (call === 'tool') {
    const fields = fieldsOf(node, 'a call', ['call', 'name', 'arguments', 'output']);
    return {
      call,
      name: identifier(fields.text('name')),
      arguments: objectText(fields, 'arguments'),
      output: fields.text('output'),
    };
  }
  const fields = fieldsOf(node, 'a call', ['call', 'server', 'tool', 'arguments']);
  return {
    call,
    server: fields.text('server'),
    tool: fields.text('tool'),
    arguments: objectText(fields, 'arguments'),
  };
}

/** The members of an object that may have no others than those named. */
function fieldsOf(node: JsonNode, what: string, keys: readonly string[]): Fields {
  const unknown = membersOf(node, what).find(([key]) => !keys.includes(key));
  if (unknown !== undefined)
    throw new FieldError(`${what} has no "${unknown[0]}": it may have ${keys.join(', ')}`);
  return new Fields(node);
}

function membersOf(node: JsonNode, what: string): readonly (readonly [string, JsonNode, ...unknown[]])[] {
  if (node.kind !== 'object') throw new FieldError(`${what} must be an object`);
  return node.members;
}

function objectText(fields: Fields, key: string): string {
  const node = fields.node(key);
  if (node.kind !== 'object') throw new FieldError(`"${key}" must be an object`);
  return printJson(node);
}

/** A name that stays inside its folder. */
function fileName(name: string): string {
  if (!/^[\w-][\w.-]*$/.test(name)) throw new FieldError(`"${name}" must be a file name without a folder`);
  return name;
}

/** The client builds the name of the tool that the model sees from these. */
function identifier(name: string): string {
  if (!/^[a-z][a-z0-9_]*$/.test(name))
    throw new FieldError(`"${name}" must be lower-case letters, digits and _`);
  return name;
}
