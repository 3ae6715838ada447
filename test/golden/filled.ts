import type { Exchange } from '../../src/golden/dialogue.ts';
import { Filler } from '../../src/golden/fill.ts';
import type { Golden } from '../../src/golden/golden.ts';

/** What the official client would have said in another run: a golden with fresh values for all its variables. */
export function filled(golden: Golden, run: number): Exchange[] {
  const sealed = [...golden.variables.values()].flatMap(({ name, kind }): [string, string][] => {
    if (kind === 'secret') return [[name, `<<secret ${name} 1>>`]];
    if (kind === 'secret_uuid4') return [[name, `<<secret ${name} 1 uuid4>>`]];
    if (kind === 'sealed') return [[name, `${run} ${'5ea1'.repeat(16)}`]];
    return kind === 'host_text' ? [[name, `${name} ${run}`]] : [];
  });
  const values: [string, string][] = [['authority', `localhost:${run}`], ...sealed];
  const filler = new Filler(golden.variables, values, 1_785_432_000_000 + run * 60_000);
  return golden.exchanges.map(({ connection, request, steps }) => ({
    connection: { ...connection, authority: filler.text(connection.authority) },
    request: {
      ...request,
      target: filler.node(request.target),
      headers: request.headers.map(([name, value]) => [name, filler.node(value)]),
    },
    steps: steps.map((step) => {
      if (step.type === 'response' || step.content.kind !== 'json') return step;
      return { ...step, content: { ...step.content, json: filler.node(step.content.json) } };
    }),
  }));
}
