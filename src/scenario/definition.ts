import { type Faults, firstWords, type ScriptedReply } from '../backend/script.ts';
import { callTexts } from '../backend/tool-calls.ts';
import type { Lane } from '../client/official/lanes.ts';
import type { Task } from '../client/official/task.ts';
import { ParityError } from '../errors.ts';
import { compareVersions } from '../wire/compare-versions.ts';
import { type JsonNode, tryParseJson } from '../wire/json.ts';

/** A scripted exchange: what the client is told to do, and what the backend answers. One file each. */
export type Scenario = {
  readonly name: string;
  /** One line: what is to be learned from it. */
  readonly why: string;
  /** The versions of the client that can play it; all unless given. */
  readonly versions?: VersionRange;
  /** The lanes it is recorded in; `chatgpt` alone unless given. */
  readonly lanes?: readonly Lane[];
  readonly client: Task;
  readonly backend: readonly ScriptedReply[];
  readonly faults?: Faults;
};

/** First and last version, both included; `why` says what the others lack. */
export type VersionRange = { readonly from?: string; readonly to?: string; readonly why: string };

/**
 * Those of some scenarios that a version of the client can play; of each other one the reason is told. Throws
 * ParityError where there is only one, and it cannot be played.
 */
export function playableBy(
  codex: string,
  scenarios: readonly Scenario[],
  onSkipped: (reason: string) => void,
): Scenario[] {
  return scenarios.filter((scenario) => {
    const reason = cannotPlay(scenario, codex);
    if (reason === undefined) return true;
    if (scenarios.length === 1) throw new ParityError('usage', reason);
    onSkipped(reason);
    return false;
  });
}

/** Why a version of the client cannot play a scenario; undefined where it can. */
export function cannotPlay({ name, versions }: Scenario, codex: string): string | undefined {
  if (versions === undefined) return undefined;
  const { from, to, why } = versions;
  // An alpha can what its release can.
  const release = codex.replace(/-.*/, '');
  if (from !== undefined && compareVersions(release, from) < 0)
    return `codex ${codex} cannot play ${name}, which starts with ${from}: ${why}`;
  if (to !== undefined && compareVersions(release, to) > 0)
    return `codex ${codex} cannot play ${name}, which ends with ${to}: ${why}`;
  return undefined;
}

/** The texts of a scenario, exactly as they travel: they are our own and so stay readable in what is recorded. */
export function ownTexts({ client, backend }: Scenario): string[] {
  const { images = [], outputSchema, repository, mcpServers = [] } = client;
  const tools = mcpServers.flatMap((server) => server.tools);
  return [
    ...promptsOf(client),
    ...images.map(({ base64 }) => `data:image/png;base64,${base64}`),
    ...(outputSchema === undefined ? [] : [outputSchema, ...textsIn(outputSchema)]),
    ...(repository?.files ?? []).map(([, text]) => text),
    ...tools.flatMap(({ description, inputSchema, answer }) => [
      description,
      ...textsIn(inputSchema),
      answer,
    ]),
    ...backend.flatMap(replyTexts),
  ];
}

/** What the user says in a task. */
export function promptsOf(task: Task): string[] {
  if ('prompt' in task) return [task.prompt];
  return task.steps.flatMap((step) => {
    if (step.do === 'review') return [step.instructions];
    if (step.do !== 'turn') return [];
    return [step.prompt, ...(typeof step.during === 'object' ? [step.during.steer] : [])];
  });
}

function replyTexts(reply: ScriptedReply): string[] {
  switch (reply.reply) {
    case 'text':
    case 'hold':
      return [reply.text];
    case 'tool_calls':
      return reply.calls.flatMap(callTexts);
    case 'error':
    case 'failed':
      return textsIn(reply.error);
    case 'break':
    case 'binary':
      return [firstWords];
    case 'incomplete':
      return [];
  }
}

/** All strings of a JSON text, except its keys. */
function textsIn(json: string): string[] {
  const texts = (node: JsonNode | undefined): string[] => {
    if (node?.kind === 'string') return [node.value];
    if (node?.kind === 'array') return node.items.flatMap(texts);
    return node?.kind === 'object' ? node.members.flatMap(([, value]) => texts(value)) : [];
  };
  return texts(tryParseJson(json)?.node);
}
