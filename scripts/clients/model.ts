import type { CreateRequest } from '../../src/backend/create-request.ts';
import type { Conversation } from '../../src/backend/known-responses.ts';
import type { ScriptedReply } from '../../src/backend/reply.ts';
import type { ScriptedToolCall } from '../../src/backend/tool-calls.ts';
import { itemsOf, type JsonNode, member, stringAt } from '../../src/wire/json.ts';

/** What tools of the clients return: a program checks that it arrives in the last text. */
export const toolResult = 'sunny, 21 degrees';

/** What it returns as structured output. */
const json = '{"city":"Paris","degrees":21}';

/**
 * What the simulated model replies. A prompt with "use the tool" makes it call one, "use the tools" two. Any other message, and
 * the output of a tool, gets a text that repeats what arrived: the user's messages, the outputs, how many replies and how many
 * reasoning items. A request for JSON gets JSON.
 */
export function replyOfModel(request: CreateRequest, conversation: Conversation): ScriptedReply {
  const last = conversation.at(-1);
  const prompt = stringAt(last, 'role') === 'user' ? textsOf(last).join(' ') : '';
  const [call, second] = toolCalls(request);
  const asksForTools = /\buse the tools?\b/i.test(prompt);
  const reasoning = 'I think about the weather.';
  if (asksForTools && call !== undefined) {
    const both = /\buse the tools\b/i.test(prompt) && second !== undefined;
    return { reply: 'tool_calls', style: 'auto', calls: both ? [call, second] : [call], reasoning };
  }
  const demanded = demandedCall(request);
  if (demanded !== undefined && stringAt(last, 'role') === 'user') {
    return { reply: 'tool_calls', style: 'function', calls: [demanded], reasoning };
  }
  const format = stringAt(request.body, 'text', 'format', 'type') ?? 'text';
  if (format !== 'text' || /\bJSON\b/.test(prompt)) return { reply: 'text', text: json, reasoning };
  return { reply: 'text', text: reportOf(conversation), reasoning };
}

function reportOf(conversation: Conversation): string {
  const messages = (role: string) =>
    conversation.filter(
      (item) => stringAt(item, 'role') === role && (stringAt(item, 'type') ?? 'message') === 'message',
    );
  const prompts = messages('user')
    .flatMap((item) => textsOf(item))
    // The official client describes the environment in elements.
    .filter((text) => !text.startsWith('<'))
    .map((text) => text.trim().slice(0, 100));
  const outputs = conversation
    .filter((item) => stringAt(item, 'type')?.endsWith('_call_output'))
    .map((item) => textsOf(item, 'output').join(' ').replaceAll(/\s+/g, ' ').slice(0, 300));
  const reasoning = conversation.filter((item) => stringAt(item, 'type') === 'reasoning');
  return [
    `Prompts: ${prompts.join(' | ')}.`,
    `Outputs: ${outputs.join(' | ')}.`,
    `Replies: ${messages('assistant').length}.`,
    `Reasoning: ${reasoning.length}.`,
  ].join(' ');
}

function textsOf(item: JsonNode | undefined, key = 'content'): string[] {
  const content = member(item, key);
  if (content?.kind === 'string') return [content.value];
  return itemsOf(content).flatMap((part) => stringAt(part, 'text') ?? []);
}

/** The call that a client demands to get structured output. */
function demandedCall({ functions = [], body }: CreateRequest): ScriptedToolCall | undefined {
  const choice = member(body, 'tool_choice');
  const isRequired = choice?.kind === 'string' && choice.value === 'required';
  const name = isRequired ? functions[0]?.name : stringAt(choice, 'name');
  return name === undefined ? undefined : { call: 'tool', name, arguments: json, output: toolResult };
}

/** Calls of the tools that the client offers: of its own shell, or of the weather tool of our programs. */
function toolCalls({ functions = [], functionsInInput, body }: CreateRequest): ScriptedToolCall[] {
  const names = new Set([...functions, ...functionsInInput].map(({ name }) => name));
  const weather = (city: string): ScriptedToolCall => ({
    call: 'tool',
    name: 'get_weather',
    arguments: JSON.stringify({ city }),
    output: toolResult,
  });
  if (names.has('get_weather')) return [weather('Paris'), weather('Rome')];
  const command = `printf '${toolResult}'`;
  if (names.has('bash')) {
    const shell = JSON.stringify({ command, description: 'Prints the weather' });
    return [{ call: 'tool', name: 'bash', arguments: shell, output: toolResult }];
  }
  // Lite models of the official client have the tool `exec` in their input (measured: codex 0.171.0).
  const isOfficial = names.has('exec_command') || member(body, 'tools') === undefined;
  return isOfficial ? [{ call: 'command', command, output: toolResult }] : [];
}
