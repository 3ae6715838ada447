import { ParityError } from '../../errors.ts';
import { GoldenLines, readGolden } from '../../golden/file.ts';
import type { Golden } from '../../golden/golden.ts';
import { Filler } from '../../golden/pattern/fill.ts';
import { type GoldenFolders, layeredGoldens } from '../../golden/select.ts';
import type { HeaderList } from '../../wire/headers.ts';
import type { HttpForm } from '../http/upstream/http-form.ts';
import { type CompiledPattern, fillText } from './compiled-pattern.ts';
import { httpFormOf } from './http-form.ts';
import {
  type FurtherGoldens,
  outlineOf,
  type RequestPattern,
  requestPattern,
  type Transport,
} from './request-pattern.ts';
import { RequestShaper, type ShaperOptions } from './request-shaper.ts';
import { type TunnelFacts, tunnelledHeaders } from './tunnelled-headers.ts';

export type ShapeGoldens = Partial<FurtherGoldens> & {
  readonly http?: Golden | undefined;
  readonly http2?: Golden | undefined;
};

/** The shape of one version's requests as its goldens show it: names, order and case of everything that is sent. */
export class Shape {
  readonly #websocket: RequestPattern;
  readonly #http: RequestPattern | undefined;
  /** The headers of a complete client, in lower case; undefined for a transport without a golden. */
  readonly #requiredNames: Readonly<Record<Transport, readonly string[] | undefined>>;
  /** How the client connects for requests over HTTP. */
  readonly httpForm: HttpForm;

  /**
   * `golden` has a turn over the websocket; `http` has the same turn over HTTP, if the version has such a golden, and `http2`
   * over HTTP/2. `others` add optional keys and headers.
   */
  constructor(golden: Golden, { others = [], fedramp = [], http, http2 }: ShapeGoldens = {}) {
    const further = { others, fedramp };
    const websocket = requestPattern(golden, further, 'websocket');
    if (websocket === undefined) throw new RangeError(`${golden.scenario}: the golden has no websocket`);
    this.#websocket = websocket;
    this.#http = http === undefined ? undefined : requestPattern(http, further, 'http');
    this.#requiredNames = {
      websocket: requiredNames(websocket),
      http: this.#http && requiredNames(this.#http),
    };
    this.httpForm = httpFormOf([http ?? [], http2 ?? []].flat());
  }

  get codex(): string {
    return this.#websocket.codex;
  }

  /** How the golden's client names itself. `hostTexts` are values of host variables for this machine. */
  client(hostTexts: ReadonlyMap<string, string>): { originator: string; userAgent: string } {
    const { variables, headers } = this.#http ?? this.#websocket;
    const filler = new Filler(variables, hostTexts);
    const text = (name: string) => {
      const value = headers.get(name)?.value;
      return value?.kind === 'text' ? fillText(value, filler) : constantText(value);
    };
    return { originator: text('originator'), userAgent: text('user-agent') };
  }

  /** Whether a model is lite. A model without a golden is not. */
  isLite(model: string): boolean {
    return this.#websocket.liteModels.has(model);
  }

  /** Whether the version has a golden for requests over HTTP. */
  get speaksHttp(): boolean {
    return this.#http !== undefined;
  }

  /** Whether the client offers permessage-deflate. */
  get compresses(): boolean {
    const offer = this.#websocket.headers.get('sec-websocket-extensions')?.value;
    return constantText(offer).startsWith('permessage-deflate');
  }

  /** Whether the handshake names the model, and so cannot be sent before the model is known. */
  get handshakeNamesModel(): boolean {
    return this.#websocket.headers.get('x-codex-routing-hint')?.required === true;
  }

  /** Whether the client sends a prewarm before its first turn. */
  get prewarms(): boolean {
    return this.#websocket.bodies.some(({ isPrewarm }) => isPrewarm);
  }

  /**
   * Whether an official client's upgrade or POST has all headers of the golden's, so that nothing is missing from its messages
   * either: clients leave out both if they are configured with the proxy as another provider (measured: codex 0.171.0, lanes
   * `provider` and `provider-openai`). A client of another version cannot be compared. It is complete if it names its version,
   * which it leaves out, too, as such a provider's client. `clientHeaders`: see headerValues.
   */
  isComplete(transport: Transport, clientHeaders: ReadonlyMap<string, string>): boolean {
    const version = clientHeaders.get('version');
    if (version !== this.codex) return version !== undefined;
    return this.#requiredNames[transport]?.every((name) => clientHeaders.has(name)) === true;
  }

  /** See tunnelledHeaders. Undefined also for a transport without a golden. */
  tunnelHeaders(
    transport: Transport,
    clientHeaders: ReadonlyMap<string, string>,
    facts: TunnelFacts,
  ): HeaderList | undefined {
    const pattern = transport === 'http' ? this.#http : this.#websocket;
    return pattern && tunnelledHeaders(pattern, clientHeaders, facts);
  }

  /** Returns a shaper for requests over a transport. Throws RangeError for `http` unless `speaksHttp`. */
  shaper(transport: Transport, options: ShaperOptions): RequestShaper {
    const pattern = transport === 'http' ? this.#http : this.#websocket;
    if (pattern === undefined) throw new RangeError(`codex ${this.codex}: the shape has no HTTP`);
    return new RequestShaper(pattern, options);
  }
}

/**
 * Headers that a complete client may leave out: the first one because it is configured with a proxy's `openai_base_url`, the
 * second one because its model is not lite (measured: codex 0.171.0). The account decides about the third.
 */
const optionalHeaderNames: ReadonlySet<string> = new Set([
  'x-openai-account-routing-override',
  'x-openai-internal-codex-responses-lite',
  'chatgpt-account-id',
]);

function requiredNames({ headers }: RequestPattern): string[] {
  const required = [...headers].filter(([, header]) => header.required);
  return required.map(([name]) => name).filter((name) => !optionalHeaderNames.has(name));
}

function constantText(pattern: CompiledPattern | undefined): string {
  return pattern?.kind === 'node' && pattern.node.kind === 'string' ? pattern.node.value : '';
}

/** The scenario whose golden is the template. The version's other goldens add the keys and headers that it lacks. */
const websocketScenario = 'default';

/** The scenario with the same turn over HTTP. */
const httpScenario = 'http-fallback';

/** The same over HTTP/2. */
const http2Scenario = 'http2-fallback';

/**
 * Loads the shape of a version and lane from folders of goldens. Throws ParityError `no-golden` if the golden of
 * scenario `default` is missing.
 */
export async function loadShape(
  goldens: GoldenFolders,
  codex: string,
  lane = 'chatgpt',
  read = readGolden,
): Promise<Shape> {
  const others: Golden[] = [];
  const fedramp: Golden[] = [];
  let websocket: Golden | undefined;
  let http: Golden | undefined;
  let http2: Golden | undefined;
  const lines = new GoldenLines();
  // Only the outlines are kept. What the lines of the goldens contain is freed at the end.
  for (const file of layeredGoldens(goldens)) {
    if (file.codex !== codex) continue;
    // Whether an account is of a government agency is known when it is used: a folder may have several.
    const isOfAgency = file.lane === 'fedramp' && lane === 'chatgpt';
    // Not every lane has it. It is the same in those that do.
    const isHttp2 = file.scenario === http2Scenario;
    if (file.lane !== lane && !isOfAgency && !isHttp2) continue;
    const golden = read(file.path, lines);
    if (isOfAgency) fedramp.push(outlineOf(golden));
    if (isHttp2) http2 ??= outlineOf(golden);
    if (file.lane !== lane) continue;
    others.push(outlineOf(golden));
    if (golden.scenario === websocketScenario) websocket = golden;
    if (golden.scenario === httpScenario) http = golden;
  }
  if (websocket !== undefined) return new Shape(websocket, { others, fedramp, http, http2 });
  throw new ParityError(
    'no-golden',
    `codex ${codex} has no golden for scenario "${websocketScenario}" in lane ${lane}, and the proxy needs it as its template: record it first`,
  );
}
