import { expect, it } from 'vitest';
import { toolFailure } from '../../src/record/tool-failure.ts';
import { loadScenario } from '../../src/scenario/scenario.ts';

/** A request with tool outputs in its input. */
function request(...outputs: unknown[]): string {
  return JSON.stringify({ input: outputs.map((output) => ({ type: 'custom_tool_call_output', output })) });
}

const items = (text: string) => [
  { type: 'input_text', text: 'Script completed\nWall time 0.1 seconds\nOutput:\n' },
  { type: 'input_text', text },
];

it('accepts a scenario without tool calls', () => {
  expect(toolFailure(loadScenario('default'), [request()])).toBeUndefined();
});

it('accepts outputs that contain what the command prints, as a string or as items', () => {
  const requests = [request(), request('Output:\nalpha'), request(items('beta'))];

  expect(toolFailure(loadScenario('tool-turn'), requests)).toBeUndefined();
});

it('names a command that was refused', () => {
  const requests = [request(), request(items('alpha'), 'the sandbox cannot be started')];

  expect(toolFailure(loadScenario('parallel-tool-calls'), requests)).toBe(
    'printf beta returned "the sandbox cannot be started"',
  );
});

it('names a tool that the client does not know', () => {
  expect(toolFailure(loadScenario('mcp-tool'), [request(), request('unsupported call: measure')])).toBe(
    'parity.measure returned "unsupported call: measure"',
  );
});

it('reports missing outputs', () => {
  expect(toolFailure(loadScenario('tool-turn'), [request()])).toBe('printf alpha returned ""');
});

it('ignores requests of other agents in between', () => {
  const outputs = ['{"task_name":"/root/letter"}', '{"message":"Wait completed."}'];

  expect(toolFailure(loadScenario('subagent'), [request(), request(), request(...outputs)])).toBeUndefined();
  expect(toolFailure(loadScenario('subagent'), [request(), request(), request('no such tool')])).toBe(
    'spawn_agent returned "no such tool"',
  );
});
