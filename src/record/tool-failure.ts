import type { ScriptedToolCall } from '../backend/tool-calls.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { itemsOf, type JsonNode, member, tryParseJson } from '../wire/json.ts';

/**
 * Describes the first tool call of a scenario whose output is not the expected one. Undefined when all outputs are as
 * expected. `requests` are the bodies of the client's requests without prewarms, one for each reply. The outputs of the
 * calls in a reply are in the first later request that has outputs. This check is necessary because a client that
 * refuses a call still ends its turn normally.
 */
export function toolFailure(scenario: Scenario, requests: readonly string[]): string | undefined {
  for (const [position, reply] of scenario.backend.entries()) {
    if (reply.reply !== 'tool_calls') continue;
    const later = requests.slice(position + 1).map(outputsIn);
    const outputs = later.find(({ length }) => length > 0) ?? [];
    for (const [index, call] of reply.calls.entries()) {
      const output = outputs[index] ?? '';
      if (!output.includes(expectedOutput(scenario, call)))
        return `${nameOf(call)} returned ${JSON.stringify(output)}`;
    }
  }
  return undefined;
}

/** The text of each tool output in a request, in order. */
function outputsIn(request: string): string[] {
  return itemsOf(member(tryParseJson(request)?.node, 'input')).flatMap((item) => {
    const output = member(item, 'output');
    return output === undefined ? [] : [textOf(output)];
  });
}

/** The text of an output, which is a string or an array of items with a text each. */
function textOf(output: JsonNode | undefined): string {
  if (output?.kind === 'string') return output.value;
  return itemsOf(output)
    .map((item) => textOf(member(item, 'text')))
    .join('');
}

function expectedOutput({ client }: Scenario, call: ScriptedToolCall): string {
  if (call.call !== 'mcp') return call.output;
  const server = client.mcpServers?.find(({ name }) => name === call.server);
  return server?.tools.find(({ name }) => name === call.tool)?.answer ?? '';
}

function nameOf(call: ScriptedToolCall): string {
  if (call.call === 'mcp') return `${call.server}.${call.tool}`;
  return call.call === 'command' ? call.command : call.name;
}
