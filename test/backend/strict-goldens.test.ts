import { join } from 'node:path';
import { expect, it } from 'vitest';
import { conversationOf, KnownResponses } from '../../src/backend/known-responses.ts';
import type { StreamEvent } from '../../src/backend/scripted-response.ts';
import { strictRefusal } from '../../src/backend/strict-rules.ts';
import { listGoldens } from '../../src/golden/file.ts';
import { clientJson, type Exchange, type Step } from '../../src/golden/trace/exchanges.ts';
import type { HeaderList } from '../../src/wire/headers.ts';
import { type JsonNode, printJson } from '../../src/wire/json.ts';
import { committedGolden } from '../golden/committed-goldens.ts';
import { fillGolden } from '../golden/fill-golden.ts';

/** What the strict backend would refuse of an exchange of the official client. */
function refusals({ request, steps }: Exchange): string[] {
  const transport = request.method === 'GET' ? 'websocket' : 'http';
  const headers = request.headers.map(([name, value]) => [name, textOf(value)] as const) satisfies HeaderList;
  const known = new KnownResponses();
  const refused: string[] = [];
  for (const [index, step] of steps.entries()) {
    const body = clientJson(step);
    // A message that steers a turn is not a request.
    if (body?.kind !== 'object' || !body.members.some(([key]) => key === 'input')) continue;
    const previous = known.previousOf(body);
    const refusal = strictRefusal({ body, transport, headers, previous });
    if (refusal !== undefined) refused.push(JSON.stringify(refusal));
    const rest = steps.slice(index + 1);
    const end = rest.findIndex((next) => clientJson(next) !== undefined);
    const parts = rest.slice(0, end === -1 ? undefined : end).flatMap(eventsOf);
    known.add(conversationOf(body, previous), { kind: 'stream', parts });
  }
  return refused;
}

function eventsOf(step: Step): StreamEvent[] {
  if (step.type === 'response' || step.from === 'client') return [];
  const { content } = step;
  const nodes =
    content.kind === 'events'
      ? content.events.map(({ data }) => data)
      : content.kind === 'json'
        ? [content.json]
        : [];
  return nodes.map((node) => JSON.parse(printJson(node)));
}

function textOf(value: JsonNode): string {
  return value.kind === 'string' ? value.value : printJson(value);
}

const goldens = listGoldens(join(import.meta.dirname, '..', '..', 'traces')).filter(
  ({ lane }) => lane !== 'api-key',
);
const versions = [...new Set(goldens.map(({ codex }) => codex))];

it.each(versions)('refuses nothing that the official client %s sends', (version) => {
  const refused = goldens
    .filter(({ codex }) => codex === version)
    .flatMap(({ path, lane, scenario }) =>
      fillGolden(committedGolden(path), 1)
        .filter(({ request }) => !textOf(request.target).endsWith('/compact'))
        .flatMap(refusals)
        .map((refusal) => `${lane} ${scenario}: ${refusal}`),
    );
  expect(refused).toEqual([]);
});
