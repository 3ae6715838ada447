import type { Golden } from '../../src/golden/golden.ts';
import { Filler } from '../../src/golden/pattern/fill.ts';
import { type Exchange, mapExchange } from '../../src/golden/trace/exchanges.ts';

/** What the official client could have sent in another run: the golden with new values for all its variables. */
export function fillGolden(golden: Golden, run: number): Exchange[] {
  const sealed = [...golden.variables.values()].flatMap(({ name, kind }): [string, string][] => {
    if (kind === 'secret') return [[name, `<<secret ${name} 1>>`]];
    if (kind === 'secret_uuid4') return [[name, `<<secret ${name} 1 uuid4>>`]];
    if (kind === 'sealed') return [[name, `${run} ${'5ea1'.repeat(16)}`]];
    return kind === 'host_text' ? [[name, `${name}-${run}`]] : [];
  });
  const values: [string, string][] = [['authority', `localhost:${run}`], ...sealed];
  const filler = new Filler(golden.variables, values, 1_785_432_000_000 + run * 60_000);
  return golden.exchanges.map((exchange) => ({
    ...mapExchange(exchange, (value) => filler.node(value)),
    connection: { ...exchange.connection, authority: filler.text(exchange.connection.authority) },
  }));
}
