import type { Golden } from '../../src/golden/golden.ts';
import { Filler } from '../../src/golden/pattern/fill.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import type { Content } from '../../src/trace/trace-event.ts';

/** What the official client would have said in another run: a golden with fresh values for all its variables. */
export function fillGolden(golden: Golden, run: number): Exchange[] {
  const sealed = [...golden.variables.values()].flatMap(({ name, kind }): [string, string][] => {
    if (kind === 'secret') return [[name, `<<secret ${name} 1>>`]];
    if (kind === 'secret_uuid4') return [[name, `<<secret ${name} 1 uuid4>>`]];
    if (kind === 'sealed') return [[name, `${run} ${'5ea1'.repeat(16)}`]];
    return kind === 'host_text' ? [[name, `${name} ${run}`]] : [];
  });
  const values: [string, string][] = [['authority', `localhost:${run}`], ...sealed];
  const filler = new Filler(golden.variables, values, 1_785_432_000_000 + run * 60_000);
  const contentOf = (content: Content): Content => {
    if (content.kind === 'json') return { ...content, json: filler.node(content.json) };
    if (content.kind !== 'events') return content;
    return {
      ...content,
      events: content.events.map(({ event, data }) => ({ event, data: filler.node(data) })),
    };
  };
  return golden.exchanges.map(({ connection, request, steps, ...rest }) => ({
    ...rest,
    connection: { ...connection, authority: filler.text(connection.authority) },
    request: {
      ...request,
      target: filler.node(request.target),
      headers: request.headers.map(([name, value]) => [name, filler.node(value)]),
    },
    steps: steps.map((step) =>
      step.type === 'response' ? step : { ...step, content: contentOf(step.content) },
    ),
  }));
}
