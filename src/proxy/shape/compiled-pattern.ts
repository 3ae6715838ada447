import { jsonMark, plainKey, unorderedMark, type Variable } from '../../golden/golden.ts';
import type { Filler } from '../../golden/pattern/fill.ts';
import { splitter } from '../../golden/pattern/split-template.ts';
import { parseTemplate, soleVariable, type TemplatePart } from '../../golden/pattern/template.ts';
import { type JsonNode, type JsonObject, member, printJson } from '../../wire/json.ts';
import { type RawMember, rawMembers, stringIn } from './raw-json.ts';

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
/** Whatever else; `text` is its JSON, where that is the same in each request. */
export type OtherPlace = {
  readonly kind: 'other';
  readonly pattern: JsonNode;
  readonly text: string | undefined;
};

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
  if (pattern.kind !== 'object') return otherPlace(pattern);
  const inner = member(pattern, jsonMark);
  if (inner === undefined) return objectPlace(pattern, variables);
  if (inner.kind !== 'object') return otherPlace(pattern);
  return { kind: 'document', inner: objectPlace(inner, variables) };
}

function otherPlace(pattern: JsonNode): OtherPlace {
  const simple = pattern.kind !== 'object' && pattern.kind !== 'array';
  return { kind: 'other', pattern, text: simple ? printJson(pattern) : undefined };
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
export function filled({ parts }: TextPlace, filler: Filler): string {
  return parts.map((part) => ('variable' in part ? filler.value(part.variable) : part.literal)).join('');
}

/**
 * Tells the values that variables have in what a client said at a place, a JSON text, as far as it has the golden's
 * form.
 */
export function learn(place: Place, said: string, tell: (name: string, value: string) => void): void {
  switch (place.kind) {
    case 'text': {
      const text = place.number ? numberIn(said) : stringIn(said);
      if (text === undefined) return;
      for (const [name, value] of place.split(text) ?? []) tell(name, value);
      return;
    }
    case 'document':
      learn(place.inner, stringIn(said) ?? '', tell);
      return;
    case 'object':
      for (const [key, value] of rawMembers(said) ?? []) {
        const inner = place.members.get(key);
        if (inner !== undefined) learn(inner, value, tell);
      }
      return;
    case 'other':
      return;
  }
}

/** The members of the object that a text holds as JSON, given as a JSON text itself. */
export function documentIn(said: string | undefined): RawMember[] | undefined {
  return rawMembers(stringIn(said) ?? '');
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

/** The digits of a JSON number; undefined for another value. */
function numberIn(said: string): string | undefined {
  return /^-?\d/.test(said) ? said : undefined;
}
