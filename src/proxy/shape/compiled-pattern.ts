import { jsonMark, unescapeKey, unorderedMark, type Variable } from '../../golden/golden.ts';
import { compileTemplate } from '../../golden/pattern/compile-template.ts';
import type { Filler } from '../../golden/pattern/fill.ts';
import { parseTemplate, soleVariable, type TemplatePart } from '../../golden/pattern/template.ts';
import { type JsonNode, type JsonObject, member, printJson } from '../../wire/json.ts';
import { rawMembers, stringIn } from './raw-json.ts';

/** A golden's pattern for one value in headers or client metadata, parsed once for all requests. */
export type CompiledPattern =
  | TextPattern
  | ObjectPattern
  /** A string that contains a JSON object. */
  | { readonly kind: 'embedded-json'; readonly inner: ObjectPattern }
  /** Any other value. `text` is its JSON if it is a constant. */
  | { readonly kind: 'node'; readonly node: JsonNode; readonly text: string | undefined };

export type TextPattern = {
  readonly kind: 'text';
  readonly parts: readonly TemplatePart[];
  readonly variables: readonly string[];
  /** Whether the pattern is a single variable without literal text. */
  readonly sole: boolean;
  readonly number: boolean;
  /** Returns the values of the variables in a string that matches the pattern. */
  readonly split: ReturnType<typeof compileTemplate>;
};

export type ObjectPattern = {
  readonly kind: 'object';
  readonly ordered: boolean;
  readonly members: ReadonlyMap<string, CompiledPattern>;
};

export type GoldenVariables = ReadonlyMap<string, Variable>;

export function compilePattern(pattern: JsonNode, variables: GoldenVariables): CompiledPattern {
  if (pattern.kind === 'string' && pattern.value.includes('{{')) {
    const parts = parseTemplate(pattern.value);
    const sole = soleVariable(pattern.value);
    return {
      kind: 'text',
      parts,
      variables: parts.flatMap((part) => ('variable' in part ? [part.variable] : [])),
      sole: sole !== undefined,
      number: sole !== undefined && variables.get(sole)?.number === true,
      split: compileTemplate(parts, variables),
    };
  }
  if (pattern.kind === 'object') {
    const inner = member(pattern, jsonMark);
    if (inner === undefined) return compileObject(pattern, variables);
    if (inner.kind === 'object') return { kind: 'embedded-json', inner: compileObject(inner, variables) };
  }
  const constant = pattern.kind !== 'object' && pattern.kind !== 'array';
  return { kind: 'node', node: pattern, text: constant ? printJson(pattern) : undefined };
}

export function compileObject({ members }: JsonObject, variables: GoldenVariables): ObjectPattern {
  const named = members.filter(([key]) => key !== unorderedMark);
  return {
    kind: 'object',
    ordered: named.length === members.length,
    members: new Map(named.map(([key, value]) => [unescapeKey(key), compilePattern(value, variables)])),
  };
}

/** Returns the pattern's text with its variables replaced by their values. */
export function fillText({ parts }: TextPattern, filler: Filler): string {
  let text = '';
  for (const part of parts) text += 'variable' in part ? filler.value(part.variable) : part.literal;
  return text;
}

/** Longer texts are not split: their values are kept for the session, and go into headers. */
const longestText = 4096;

/** Calls `onValue` for each variable whose value can be read from a client's JSON. Skips parts that do not match. */
export function extractValues(
  pattern: CompiledPattern,
  json: string,
  onValue: (variable: string, value: string) => void,
): void {
  if (pattern.kind === 'text') {
    const number = /^-?\d/.test(json) ? json : undefined;
    const text = pattern.number ? number : stringIn(json);
    const values = text === undefined || text.length > longestText ? undefined : pattern.split(text);
    for (const [variable, value] of values ?? []) onValue(variable, value);
  } else if (pattern.kind === 'embedded-json') {
    extractValues(pattern.inner, stringIn(json) ?? '', onValue);
  } else if (pattern.kind === 'object') {
    for (const [key, value] of rawMembers(json) ?? []) {
      const inner = pattern.members.get(key);
      if (inner !== undefined) extractValues(inner, value, onValue);
    }
  }
}

/** Returns the names of all variables in a pattern. */
export function variableNames(pattern: CompiledPattern | undefined): readonly string[] {
  switch (pattern?.kind) {
    case 'text':
      return pattern.variables;
    case 'embedded-json':
      return variableNames(pattern.inner);
    case 'object':
      return [...pattern.members.values()].flatMap(variableNames);
    default:
      return [];
  }
}
