import type { Filler } from '../golden/fill.ts';
import { jsonMark, plainKey, unorderedMark, type Variable } from '../golden/golden.ts';
import { splitter } from '../golden/match.ts';
import { parseTemplate, soleVariable, type TemplatePart } from '../golden/template.ts';
import { type JsonNode, type JsonObject, jsonString, member, tryParseJson } from '../wire/json.ts';

/** What a golden has at one place of headers or client metadata, read once for all requests. */
export type Place = TextPlace | ObjectPlace | DocumentPlace | OtherPlace;

/** A text with variables. */
export type TextPlace = {
  readonly kind: 'text';
  readonly parts: readonly TemplatePart[];
  readonly variables: readonly string[];
  /** Whether it is one variable and nothing else. */
  readonly sole: boolean;
  /** Whether it stands for a number. */
  readonly number: boolean;
  /** The values of its variables in a text of its form. */
  readonly split: ReturnType<typeof splitter>;
};
export type ObjectPlace = {
  readonly kind: 'object';
  readonly ordered: boolean;
  readonly members: ReadonlyMap<string, Place>;
};
/** A text that holds an object as JSON. */
export type DocumentPlace = { readonly kind: 'document'; readonly inner: ObjectPlace };
/** Whatever else: a constant, for the most part. */
export type OtherPlace = { readonly kind: 'other'; readonly pattern: JsonNode };

export type Variables = ReadonlyMap<string, Variable>;

export function placeOf(pattern: JsonNode, variables: Variables): Place {
  if (pattern.kind === 'string' && pattern.value.includes('{{')) {
    const parts = parseTemplate(pattern.value);
    const sole = soleVariable(pattern.value);
    return {
      kind: 'text',
      parts,
      variables: parts.flatMap((part) => ('variable' in part ? [part.variable] : [])),
      sole: sole !== undefined,
      number: sole !== undefined && variables.get(sole)?.number === true,
      split: splitter(parts, variables),
    };
  }
  if (pattern.kind !== 'object') return { kind: 'other', pattern };
  const inner = member(pattern, jsonMark);
  if (inner === undefined) return objectPlace(pattern, variables);
  if (inner.kind !== 'object') return { kind: 'other', pattern };
  return { kind: 'document', inner: objectPlace(inner, variables) };
}

export function objectPlace({ members }: JsonObject, variables: Variables): ObjectPlace {
  const marked = members.some(([key]) => key === unorderedMark);
  return {
    kind: 'object',
    ordered: !marked,
    members: new Map(
      members.flatMap(([key, value]) =>
        key === unorderedMark ? [] : [[plainKey(key), placeOf(value, variables)]],
      ),
    ),
  };
}

/** The same object without a member. */
export function withoutMember(place: ObjectPlace, key: string): ObjectPlace {
  return { ...place, members: new Map([...place.members].filter(([other]) => other !== key)) };
}

/** What stands at a text place once its variables have values. */
export function filled({ parts, number }: TextPlace, filler: Filler): JsonNode {
  const text = parts
    .map((part) => ('variable' in part ? filler.value(part.variable) : part.literal))
    .join('');
  return number ? { kind: 'number', text } : jsonString(text);
}

/** Tells the values that variables have in what a client said at a place, as far as it has the golden's form. */
export function learn(place: Place, said: JsonNode, tell: (name: string, value: string) => void): void {
  switch (place.kind) {
    case 'text': {
      const text = place.number ? numberText(said) : stringText(said);
      if (text === undefined) return;
      for (const [name, value] of place.split(text) ?? []) tell(name, value);
      return;
    }
    case 'document': {
      const document = documentIn(said);
      if (document !== undefined) learn(place.inner, document, tell);
      return;
    }
    case 'object':
      if (said.kind !== 'object') return;
      for (const [key, value] of said.members) {
        const inner = place.members.get(key);
        if (inner !== undefined) learn(inner, value, tell);
      }
      return;
    case 'other':
      return;
  }
}

const documents = new WeakMap<JsonNode, JsonObject | undefined>();

/** The object that a text holds as JSON; each node is parsed once. */
export function documentIn(said: JsonNode | undefined): JsonObject | undefined {
  if (said?.kind !== 'string') return undefined;
  if (documents.has(said)) return documents.get(said);
  const node = tryParseJson(said.value)?.node;
  const document = node?.kind === 'object' ? node : undefined;
  documents.set(said, document);
  return document;
}

/** The variables at a place and below. */
export function variablesAt(place: Place | undefined): readonly string[] {
  switch (place?.kind) {
    case 'text':
      return place.variables;
    case 'document':
      return variablesAt(place.inner);
    case 'object':
      return [...place.members.values()].flatMap(variablesAt);
    default:
      return [];
  }
}

function numberText(node: JsonNode): string | undefined {
  return node.kind === 'number' ? node.text : undefined;
}

function stringText(node: JsonNode): string | undefined {
  return node.kind === 'string' ? node.value : undefined;
}
