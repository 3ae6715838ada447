import type { Reply } from '../backend/script.ts';
import { callTexts } from '../backend/tool-calls.ts';
import type { Task } from '../client/task.ts';
import { versionOrder } from '../client/version.ts';
import { ParityError } from '../errors.ts';
import { type JsonNode, tryParseJson } from '../wire/json.ts';

/** A scripted exchange: what the client is told to do, and what the backend answers. One file each. */
export type Scenario = {
  readonly name: string;
  /** One line: what is to be learned from it. */
  readonly why: string;
  /** The versions of the client that can play it; all unless given. */
  readonly versions?: VersionRange;
  readonly client: Task;
  readonly backend: readonly Reply[];
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
  if (from !== undefined && versionOrder(codex, from) < 0)
    return `codex ${codex} cannot play ${name}, which starts with ${from}: ${why}`;
  if (to !== undefined && versionOrder(codex, to) > 0)
    return `codex ${codex} cannot play ${name}, which ends with ${to}: ${why}`;
  return undefined;
}

/** The texts of a scenario, exactly as they travel: they are our own and so stay readable in what is recorded. */
export function ownTexts({ client, backend }: Scenario): string[] {
  const { prompt, images = [], outputSchema, repository, mcpServers = [] } = client;
  const tools = mcpServers.flatMap((server) => server.tools);
  return [
    prompt,
    ...images.map(({ base64 }) => `data:image/png;base64,${base64}`),
    ...(outputSchema === undefined ? [] : [outputSchema, ...textsIn(outputSchema)]),
    ...(repository?.files ?? []).map(([, text]) => text),
    ...tools.flatMap(({ description, inputSchema, answer }) => [
      description,
      ...textsIn(inputSchema),
      answer,
    ]),
    ...backend.flatMap((reply) => (reply.reply === 'text' ? [reply.text] : reply.calls.flatMap(callTexts))),
  ];
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
