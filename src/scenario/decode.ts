import type { CallStyle, Reply, ToolCall } from '../backend/script.ts';
import type { ConfigValue, ImageFile, McpServer, McpTool, Repository, Task } from '../client/task.ts';
import { isVersion } from '../client/version.ts';
import { FieldError, Fields } from '../trace/codec.ts';
import { type JsonNode, printJson } from '../wire/json.ts';
import type { Scenario, VersionRange } from './definition.ts';

/** The scenario of a document. Throws a FieldError that names what is missing, wrong or unknown. */
export function decodeScenario(document: JsonNode): Scenario {
  const fields = fieldsOf(document, 'a scenario', ['name', 'why', 'versions', 'client', 'backend']);
  return {
    name: fields.text('name'),
    why: fields.text('why'),
    ...(fields.has('versions') ? { versions: decodeVersions(fields.node('versions')) } : {}),
    client: decodeTask(fields.node('client')),
    backend: fields.list('backend').map(decodeReply),
  };
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
    ...['prompt', 'config', 'model', 'images', 'outputSchema', 'repository', 'mcpServers'],
  ]);
  return {
    prompt: fields.text('prompt'),
    config: decodeConfig(fields.node('config')),
    ...(fields.has('model') ? { model: fields.text('model') } : {}),
    ...(fields.has('images') ? { images: fields.list('images').map(decodeImage) } : {}),
    ...(fields.has('outputSchema') ? { outputSchema: objectText(fields, 'outputSchema') } : {}),
    ...(fields.has('repository') ? { repository: decodeRepository(fields.node('repository')) } : {}),
    ...(fields.has('mcpServers') ? { mcpServers: fields.list('mcpServers').map(decodeMcpServer) } : {}),
  };
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

function decodeReply(node: JsonNode): Reply {
  const reply = new Fields(node).oneOf('reply', ['text', 'tool_calls'] as const);
  if (reply === 'text') return { reply, text: fieldsOf(node, 'a reply', ['reply', 'text']).text('text') };
  const fields = fieldsOf(node, 'a reply', ['reply', 'style', 'calls']);
  const calls = fields.list('calls').map(decodeCall);
  if (calls.length === 0) throw new FieldError('"calls" must hold a call');
  return {
    reply,
    style: fields.has('style') ? fields.oneOf<CallStyle>('style', ['auto', 'custom', 'function']) : 'auto',
    calls,
  };
}

function decodeCall(node: JsonNode): ToolCall {
  const call = new Fields(node).oneOf('call', ['command', 'mcp'] as const);
  if (call === 'command') {
    const fields = fieldsOf(node, 'a call', ['call', 'command', 'output']);
    return { call, command: fields.text('command'), output: fields.text('output') };
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
