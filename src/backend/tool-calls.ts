import { z } from 'zod';
import { jsonObjectText, toolName } from '../schema.ts';
import type { CreateRequest, OfferedFunction } from './create-request.ts';
import { newId, type ScriptedOutput } from './scripted-response.ts';

/** One tool call of the model. */
export const scriptedToolCall = z.discriminatedUnion('call', [
  z.strictObject({
    call: z.literal('command'),
    /** The shell command that the client runs. */
    command: z.string(),
    /** What the command prints, on any machine. */
    output: z.string(),
  }),
  z.strictObject({
    call: z.literal('mcp'),
    /** The name of the MCP server in the client's configuration. */
    server: z.string(),
    tool: z.string(),
    arguments: jsonObjectText,
  }),
  /** A built-in tool of the client. */
  z.strictObject({
    call: z.literal('tool'),
    name: toolName,
    arguments: jsonObjectText,
    /** Part of what the tool returns, on any machine. */
    output: z.string(),
  }),
]);
export type ScriptedToolCall = z.output<typeof scriptedToolCall>;

/**
 * How a model calls a tool. `custom` is the `custom_tool_call` named `exec` of the lite models (the default from 0.144
 * on), with JavaScript as input. `function` is the `function_call` of the others. `auto` is what the model of the
 * request uses.
 */
export const callStyle = z.enum(['auto', 'custom', 'function']);
type CallStyle = z.output<typeof callStyle>;

/** The output item that calls a tool. */
export function toolCallOutput(
  call: ScriptedToolCall,
  style: CallStyle,
  index: number,
  request: CreateRequest,
): ScriptedOutput {
  const call_id = newId('call');
  if (style === 'auto' ? request.functions === undefined : style === 'custom') {
    return callOutput('custom_tool_call', 'input', index, { call_id, input: scriptOf(call), name: 'exec' });
  }
  const called = { arguments: argumentsOf(call), call_id, ...functionOf(call, request) };
  return callOutput('function_call', 'arguments', index, called);
}

/** The texts of a call and its output exactly as they are sent, in either style. */
export function toolCallTexts(call: ScriptedToolCall): string[] {
  const command = call.call === 'command' ? [call.command] : [];
  const output = call.call === 'mcp' ? [] : [call.output];
  return [scriptOf(call), argumentsOf(call), ...command, ...output];
}

/** The JavaScript with which a lite model calls a tool. Tools are methods of `tools`; `text` returns the output. */
function scriptOf(call: ScriptedToolCall): string {
  const result = `await tools.${functionName(call)}(${argumentsOf(call)})`;
  if (call.call === 'tool') return `text(JSON.stringify(${result}))`;
  return `text((${result}).${call.call === 'command' ? 'output' : 'content[0].text'})`;
}

function functionName(call: ScriptedToolCall): string {
  if (call.call === 'command') return 'exec_command';
  return call.call === 'tool' ? call.name : `mcp__${call.server}__${call.tool}`;
}

function argumentsOf(call: ScriptedToolCall): string {
  return call.call === 'command' ? JSON.stringify({ cmd: call.command }) : call.arguments;
}

/** The function as the request offers it: `spawn_agent` is in a namespace `collaboration` (measured: codex 0.169.0). */
function functionOf(
  call: ScriptedToolCall,
  { functions = [], functionsInInput }: CreateRequest,
): OfferedFunction {
  const name = functionName(call);
  if (call.call === 'command') return { name };
  const nameOf = call.call === 'tool' ? (offered: OfferedFunction) => offered.name : qualifiedName;
  return [...functions, ...functionsInInput].find((offered) => nameOf(offered) === name) ?? { name };
}

/**
 * Measured: 0.118.0 offers a function of an MCP server under its qualified name, 0.130.0 in a namespace
 * `mcp__SERVER__`, 0.140.0 in `mcp__SERVER`.
 */
function qualifiedName({ namespace, name }: OfferedFunction): string {
  return [namespace?.replace(/__$/, ''), name].filter(Boolean).join('__');
}

/** `key` is the member that the events fill. The keys of an item are in the order of `members`. */
function callOutput(
  type: 'custom_tool_call' | 'function_call',
  key: 'input' | 'arguments',
  output_index: number,
  members: Readonly<Record<string, string>>,
): ScriptedOutput {
  const id = newId(type === 'function_call' ? 'fc' : 'ctc');
  const item = { id, type, status: 'completed', ...members };
  const event = { item_id: id, output_index };
  return {
    item,
    begun: { ...item, status: 'in_progress', [key]: '' },
    events: [
      { type: `response.${type}_${key}.delta`, ...event, delta: members[key] },
      { type: `response.${type}_${key}.done`, ...event, [key]: members[key] },
    ],
  };
}
