import { replyTexts } from '../backend/reply.ts';
import type { Task } from '../client/official/task.ts';
import { parseJson, stringsIn } from '../wire/json.ts';
import type { Scenario } from './scenario.ts';

/** The texts of a scenario, exactly as they are sent. They are ours, so recordings may keep them readable. */
export function ownTexts({ client, backend }: Scenario): string[] {
  const { images = [], outputSchema, repository, mcpServers = [] } = client;
  const tools = mcpServers.flatMap((server) => server.tools);
  return [
    ...promptsOf(client),
    ...images.map(({ base64 }) => `data:image/png;base64,${base64}`),
    ...(outputSchema === undefined ? [] : [outputSchema, ...stringsIn(parseJson(outputSchema).node)]),
    ...Object.values(repository?.files ?? {}),
    ...tools.flatMap(({ description, inputSchema, answer }) => [
      description,
      ...stringsIn(parseJson(inputSchema).node),
      answer,
    ]),
    ...backend.flatMap(replyTexts),
  ];
}

/** The texts that the user enters in a task. */
export function promptsOf(task: Task): string[] {
  if ('prompt' in task) return [task.prompt];
  return task.steps.flatMap((step) => {
    if (step.do === 'review') return [step.instructions];
    if (step.do !== 'turn') return [];
    return [step.prompt, ...(typeof step.during === 'object' ? [step.during.steer] : [])];
  });
}
