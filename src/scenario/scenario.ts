import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { faults } from '../backend/faults.ts';
import { scriptedReply } from '../backend/reply.ts';
import { lanes } from '../client/official/lanes.ts';
import { task } from '../client/official/task.ts';
import { ParityError } from '../errors.ts';
import { parseWith } from '../schema.ts';
import { chooseFrom } from '../suggestion.ts';
import { isVersion } from '../wire/codex-version.ts';

const version = z.string().refine(isVersion, 'must be a version, such as 0.169.0').exactOptional();

/** First and last version, both included. */
const versionRange = z
  .strictObject({
    from: version,
    to: version,
    /** What the other versions lack. */
    why: z.string(),
  })
  .refine(({ from, to }) => from !== undefined || to !== undefined, 'must have "from", "to" or both');

/** What the client does and how the backend responds. One file each. */
const scenario = z.strictObject({
  name: z.string(),
  /** One line: what the scenario shows. */
  why: z.string(),
  /** The versions of the client that can play it; absent is all. */
  versions: versionRange.exactOptional(),
  /** The lanes it is recorded in; absent is `chatgpt` alone. */
  lanes: z.array(z.enum(lanes)).readonly().exactOptional(),
  client: task,
  backend: z.array(scriptedReply).readonly(),
  faults: faults.exactOptional(),
  /** Whether the backend offers HTTP/2 to clients that connect with TLS, as the real one does. */
  http2: z.boolean().default(true),
});
export type Scenario = z.output<typeof scenario>;

/** The bundled scenarios. */
export const scenarioFolder = join(import.meta.dirname, '..', '..', 'fixtures', 'scenarios');

export function scenarioNames(): string[] {
  return readdirSync(scenarioFolder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

/** A run plays the same scenarios with each version. */
const loaded = new Map<string, Scenario>();

/** Reads a bundled scenario, once. Throws ParityError `unknown-scenario`, or `file-corrupt` as `parseScenario` does. */
export function loadScenario(name: string): Scenario {
  const scenario = loaded.get(name) ?? readScenario(name);
  loaded.set(name, scenario);
  return scenario;
}

function readScenario(name: string): Scenario {
  const known = scenarioNames();
  if (!known.includes(name)) {
    throw new ParityError('unknown-scenario', `unknown scenario "${name}": ${chooseFrom(name, known)}`);
  }
  const path = join(scenarioFolder, `${name}.json`);
  return parseScenario(readFileSync(path, 'utf8'), path);
}

/** Reads the text of a scenario file. Throws ParityError `file-corrupt`, with the path, the key and the problem. */
export function parseScenario(text: string, path: string): Scenario {
  const corrupt = (problem: string) => new ParityError('file-corrupt', `scenario ${path}: ${problem}`);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw corrupt('not valid JSON');
  }
  const parsed = parseWith(scenario, document);
  if (!parsed.ok) throw corrupt(`${parsed.path.join('.') || 'the file'} ${parsed.problem}`);
  return parsed.data;
}
