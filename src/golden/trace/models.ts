import { stringAt } from '../../wire/json.ts';
import { clientJson, type Exchange } from './exchanges.ts';

/** The models that clients request, in the order of their first request. */
export function modelsOf(exchanges: readonly Exchange[]): string[] {
  const models = exchanges
    .flatMap(({ steps }) => steps)
    .flatMap((step) => stringAt(clientJson(step), 'model') ?? []);
  return [...new Set(models)];
}
