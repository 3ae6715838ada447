import type { CreateRequest, OfferedFunction } from './create-request.ts';
import { newId } from './identifiers.ts';
import type { CallStyle, ScriptedToolCall } from './script.ts';
import type { ScriptedOutput } from './scripted-response.ts';

/** The output item that asks for a tool, in the style of the model that the request names. */
export function toolCall(
  call: ScriptedToolCall,
  style: CallStyle,
  at: number,
  request: CreateRequest,
): ScriptedOutput {
  const custom = style === 'auto' ? request.functions === undefined : style === 'custom';
  return custom ? customToolCall(scriptOf(call), at) : functionCall(functionOf(call, request), at);
}

/** All texts that a call and its output travel as, whichever the style. */
export function callTexts(call: ScriptedToolCall): string[] {
  const own = call.call === 'command' ? [call.command, call.output] : [];
  const given = call.call === 'tool' ? [call.output] : [];
  return [scriptOf(call), argumentsOf(call), ...own, ...given];
}

/**
 * The JavaScript by which a lite model uses a tool; its tools are functions of `tools`, and `text` says what goes back.
 */
function scriptOf(call: ScriptedToolCall): string {
  if (call.call === 'command')
    return `text((await tools.exec_command(${JSON.stringify({ cmd: call.command })})).output)`;
  if (call.call === 'tool') return `text(JSON.stringify(await tools.${call.name}(${call.arguments})))`;
  return `text((await tools.mcp__${call.server}__${call.tool}(${call.arguments})).content[0].text)`;
}

type CalledFunction = OfferedFunction & { readonly args: string };

function functionOf(
  call: ScriptedToolCall,
  { functions = [], functionsInInput }: CreateRequest,
): CalledFunction {
  const args = argumentsOf(call);
  if (call.call === 'command') return { name: 'exec_command', args };
  const called =
    call.call === 'tool'
      ? { name: call.name, is: (one: OfferedFunction) => one.name === call.name }
      : mcpFunction(`mcp__${call.server}__${call.tool}`);
  // It must be called as it is offered: `spawn_agent` in a namespace `collaboration` (measured: codex 0.169.0).
  const offered = [...functions, ...functionsInInput].find(called.is);
  return { ...(offered ?? { name: called.name }), args };
}

/**
 * Measured: 0.118.0 offers the function under its whole name, 0.130.0 in a namespace `mcp__SERVER__`, 0.140.0 in
 * `mcp__SERVER`.
 */
function mcpFunction(name: string) {
  const is = (one: OfferedFunction) =>
    [one.namespace?.replace(/__$/, ''), one.name].filter(Boolean).join('__') === name;
  return { name, is };
}

function argumentsOf(call: ScriptedToolCall): string {
  return call.call === 'command' ? JSON.stringify({ cmd: call.command }) : call.arguments;
}

function customToolCall(input: string, at: number): ScriptedOutput {
  const id = newId('customToolCall');
  const place = { item_id: id, output_index: at };
  const item = {
    id,
    type: 'custom_tool_call',
    status: 'completed',
    call_id: newId('call'),
    input,
    name: 'exec',
  };
  return {
    item,
    begun: { ...item, status: 'in_progress', input: '' },
    events: [
      { type: 'response.custom_tool_call_input.delta', ...place, delta: input },
      { type: 'response.custom_tool_call_input.done', ...place, input },
    ],
  };
}

function functionCall({ name, namespace, args }: CalledFunction, at: number): ScriptedOutput {
  const id = newId('functionCall');
  const place = { item_id: id, output_index: at };
  const item = {
    id,
    type: 'function_call',
    status: 'completed',
    arguments: args,
    call_id: newId('call'),
    name,
    ...(namespace === undefined ? {} : { namespace }),
  };
  return {
    item,
    begun: { ...item, status: 'in_progress', arguments: '' },
    events: [
      { type: 'response.function_call_arguments.delta', ...place, delta: args },
      { type: 'response.function_call_arguments.done', ...place, arguments: args },
    ],
  };
}
