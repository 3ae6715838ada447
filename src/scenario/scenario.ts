import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ParityError } from '../errors.ts';
import { tryParseJson } from '../wire/json.ts';
import { FieldError } from '../wire/json-fields.ts';
import { decodeScenario } from './decode.ts';
import type { Scenario } from './definition.ts';

/** The scenarios that come with the program. */
export const scenarioFolder = join(import.meta.dirname, '..', '..', 'fixtures', 'scenarios');

export function scenarioNames(): string[] {
  return readdirSync(scenarioFolder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

/** Reads a scenario by its name. Throws ParityError for an unknown name or a file that is no scenario. */
export function loadScenario(name: string): Scenario {
  const path = join(scenarioFolder, `${name}.json`);
  if (!scenarioNames().includes(name)) {
    throw new ParityError(
      'unknown-scenario',
      `there is no scenario "${name}": choose from ${scenarioNames().join(', ')}`,
    );
  }
  return parseScenario(readFileSync(path, 'utf8'), path);
}

/** The scenario of a text; `path` is for the message of the ParityError that a wrong one throws. */
export function parseScenario(text: string, path: string): Scenario {
  const document = tryParseJson(text)?.node;
  try {
    if (document === undefined) throw new FieldError('it is not JSON');
    return decodeScenario(document);
  } catch (error) {
    if (error instanceof FieldError)
      throw new ParityError('file-corrupt', `scenario ${path}: ${error.message}`);
    throw error;
  }
}
