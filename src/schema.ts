import { z } from 'zod';
import { chooseFrom, didYouMean } from './suggestion.ts';

/** A JSON object of an input file, read as JSON text so that it is sent with its keys in the same order. */
export const jsonObjectText = z.record(z.string(), z.unknown()).transform((value) => JSON.stringify(value));

/** The name of a tool or MCP server: the client joins both into the name that the model sees. */
export const toolName = z
  .string()
  .regex(/^[a-z][a-z0-9_]*$/, 'must consist of lower-case letters, digits and _');

export type Parsed<Data> =
  | { readonly ok: true; readonly data: Data }
  /** `path` leads to the value in question, or to where it is missing. `problem` completes a sentence about it. */
  | { readonly ok: false; readonly path: readonly string[]; readonly problem: string };

/** Checks a value of an input file against a schema. Of several problems it returns the first; unknown keys first. */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): Parsed<z.output<Schema>> {
  const parsed = schema.safeParse(value, { error: problemOf });
  if (parsed.success) return { ok: true, data: parsed.data };
  const { issues } = parsed.error;
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
  if (issue === undefined) throw new RangeError('a failed parse without an issue');
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  return { ok: false, path: [...issue.path.map(String), ...unknown], problem: issue.message };
}

/** What a value must be, by the name of its type. */
const typeNames: Readonly<Record<string, string>> = {
  record: 'an object',
  object: 'an object',
  array: 'a list',
  int: 'a whole number',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
};

/** Undefined leaves the message to the schema. */
const problemOf: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = issue.inst instanceof z.ZodObject ? Object.keys(issue.inst.shape) : [];
      return `is not a known key: ${chooseFrom(issue.keys[0] ?? '', known)}`;
    }
    case 'invalid_value': {
      const known = issue.values.map(String);
      const advice = didYouMean(String(issue.input), known).trim();
      return `must be one of ${known.join(', ')}${advice === '' ? '' : `: ${advice}`}`;
    }
    case 'invalid_union':
      return `must be one of ${Array.isArray(issue.options) ? issue.options.join(', ') : 'several types'}`;
    case 'invalid_key':
      return issue.issues[0]?.message;
    case 'invalid_type':
      return issue.input === undefined
        ? 'is missing'
        : `must be ${typeNames[issue.expected] ?? issue.expected}${inQuotes(issue)}`;
    default:
      return undefined;
  }
};

/** YAML reads `8080` and `true` as other types than text, unless they are in quotes. */
function inQuotes({ expected, input }: { readonly expected: string; readonly input?: unknown }): string {
  const isPlain = typeof input === 'number' || typeof input === 'boolean';
  return expected === 'string' && isPlain ? `: put ${input} in quotes` : '';
}
