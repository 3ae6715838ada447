import type { ScriptedToolCall } from '../backend/tool-calls.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { type JsonNode, member, tryParseJson } from '../wire/json.ts';

/**
 * What went wrong with the tools of a scenario, as a reader is told; undefined where every call gave what it should.
 * `requests` are the bodies of the client's requests, prewarms left out: one for each reply, and what the calls of a
 * reply gave stands in the first one behind it that brings outputs. A client that refuses a call still ends its turn
 * well, and a golden of that would be none of the scenario.
 */
export function toolFailure(scenario: Scenario, requests: readonly string[]): string | undefined {
  for (const [at, reply] of scenario.backend.entries()) {
    if (reply.reply !== 'tool_calls') continue;
    const later = requests.slice(at + 1).map(outputsIn);
    const outputs = later.find((some) => some.length > 0) ?? [];
    for (const [index, call] of reply.calls.entries()) {
      const output = outputs[index] ?? '';
      if (!output.includes(expected(scenario, call))) return `${nameOf(call)} gave ${JSON.stringify(output)}`;
    }
  }
  return undefined;
}

/** The text of each tool output in a request, in their order. */
function outputsIn(request: string): string[] {
  const input = member(tryParseJson(request)?.node, 'input');
  const items = input?.kind === 'array' ? input.items : [];
  return items.flatMap((item) => {
    const output = member(item, 'output');
    return output === undefined ? [] : [textOf(output)];
  });
}

/** A text, or a list of items with a text each. */
function textOf(output: JsonNode | undefined): string {
  if (output?.kind === 'string') return output.value;
  return output?.kind === 'array' ? output.items.map((item) => textOf(member(item, 'text'))).join('') : '';
}

function expected({ client }: Scenario, call: ScriptedToolCall): string {
  if (call.call !== 'mcp') return call.output;
  const server = client.mcpServers?.find(({ name }) => name === call.server);
  return server?.tools.find(({ name }) => name === call.tool)?.answer ?? '';
}

function nameOf(call: ScriptedToolCall): string {
  if (call.call === 'mcp') return `${call.server}.${call.tool}`;
  return call.call === 'command' ? call.command : call.name;
}
