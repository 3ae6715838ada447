import { isFolder } from '../files.ts';
import { readGolden } from '../golden/file.ts';
import type { Golden } from '../golden/golden.ts';
import { fileNamed, type GoldenFile, type GoldenFolders, layeredGoldens } from '../golden/select.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import { compareVersions } from '../wire/codex-version.ts';
import { type JsonNode, member, stringAt } from '../wire/json.ts';
import { BoundedMap } from './bounded-map.ts';
import { headFacts } from './request-facts.ts';

/** How many goldens are kept in memory. */
const mostGoldens = 6;

/** Finds the goldens that a session can be compared with. */
export class GoldenChoice {
  readonly #files: readonly GoldenFile[];
  readonly #only: string | undefined;
  readonly #read = new BoundedMap<string, Golden>(mostGoldens);

  /** `only` names the golden to use, as `fileNamed` takes it. Throws ParityError if there is none of that name. */
  constructor(folders: GoldenFolders, only?: string) {
    this.#files = layeredGoldens(folders.filter(isFolder));
    this.#only = only === undefined ? undefined : fileNamed(folders, only);
    if (this.#only !== undefined) this.#golden(this.#only);
  }

  /** The goldens for the first exchanges of a session, the most fitting first. Each is read when it is taken. None if none fits. */
  *candidates(exchanges: readonly Exchange[]): Generator<Golden> {
    if (this.#only !== undefined) {
      yield this.#golden(this.#only);
      return;
    }
    const [first] = exchanges;
    if (first === undefined) return;
    const version = this.#versionFor(headFacts(first.request).version);
    for (const lane of lanesOf(first)) {
      for (const scenario of scenariosOf(exchanges)) {
        const file = this.#files.find(
          (one) => one.codex === version && one.lane === lane && one.scenario === scenario,
        );
        if (file !== undefined) yield this.#golden(file.path);
      }
    }
  }

  /** The version itself, or the newest one before it that has goldens; the newest of all for clients without one. */
  #versionFor(version: string | undefined): string | undefined {
    const known = [...new Set(this.#files.map(({ codex }) => codex))].sort(compareVersions);
    if (version === undefined) return known.at(-1);
    return known.findLast((one) => compareVersions(one, version) <= 0) ?? known.at(-1);
  }

  #golden(path: string): Golden {
    const known = this.#read.get(path);
    if (known !== undefined) return known;
    const golden = readGolden(path);
    this.#read.set(path, golden);
    return golden;
  }
}

/** The lanes that a request can come from. A client that is pointed at a proxy leaves some headers out. */
function lanesOf({ request }: Exchange): string[] {
  const has = (name: string) => request.headers.some(([actual]) => actual.toLowerCase() === name);
  if (!has('chatgpt-account-id') && has('authorization')) return ['api-key', 'chatgpt'];
  return [...(has('x-openai-fedramp') ? ['fedramp'] : []), 'chatgpt', ...pointedLanes];
}

/** The lanes of a client that is pointed at a proxy. */
export const pointedLanes: readonly string[] = ['base-url', 'provider-openai', 'provider'];

/** The scenarios that can begin like this, the most fitting first. */
function scenariosOf(exchanges: readonly Exchange[]): string[] {
  const statuses = exchanges
    .filter(({ request }) => request.method === 'GET')
    .flatMap(({ steps }) => steps.flatMap((step) => (step.type === 'response' ? [step.status] : [])));
  const refused = statuses.find((status) => status !== 101);
  const body = exchanges.flatMap(bodiesOf)[0];
  const tier = stringAt(body, 'service_tier');
  if (exchanges.some(({ request }) => request.method === 'POST'))
    return [
      ...(refused === undefined || refused === 426 ? [] : [`upgrade-${refused}`]),
      ...(statuses.includes(101) ? ['retries-exhausted'] : []),
      ...(tier === 'priority' ? ['http-fast'] : []),
      'http-fallback',
    ];
  const hasSchema = exchanges
    .flatMap(bodiesOf)
    .some((one) => member(member(one, 'text'), 'format') !== undefined);
  return [
    ...(hasSchema ? ['output-schema'] : []),
    ...(tier === 'priority' ? ['fast'] : tier === 'flex' ? ['flex'] : []),
    'default',
    ...(statuses.length > 1 ? ['stalled-prewarm'] : []),
  ];
}

/** The requests for a response in an exchange. */
function bodiesOf({ steps }: Exchange): JsonNode[] {
  return steps.flatMap((step) => {
    if (step.type === 'response' || step.from !== 'client' || step.content.kind !== 'json') return [];
    return member(step.content.json, 'model') === undefined ? [] : [step.content.json];
  });
}
