import { type JsonString, jsonString } from '../wire/json.ts';

/**
 * How a JSON string writes its non-ASCII characters: `raw`, or as escapes with lower or upper case digits (`\u00fc`,
 * `\u00FC`). `other` has escapes that none of these writers writes.
 */
export type EscapeStyle = 'raw' | 'lower' | 'upper' | 'other';

/**
 * A seal, or the variable of a golden, has ASCII characters only. Its own escapes stand for the style of the value:
 *
 *     "\u003c<secret path 1>>"        lower       "\u003C<secret path 1>>"        upper
 *     "<\u003csecret path 1>>"        raw         "\u003c\u003csecret path 1>>"   other
 */
const placeholder = /<<(?:secret|sealed) [^<>]*>>|\{\{[a-z0-9_#]+\}\}/;

/** The style of a string; undefined for one with ASCII characters only, without unusual escapes. */
export function escapeStyle(node: JsonString): EscapeStyle | undefined {
  const { value, spelling } = node;
  if (spelling === undefined) return value.search(nonAscii) === -1 ? undefined : 'raw';
  return styles.find((style) => spellingIn(value, style) === spelling) ?? 'other';
}

/** A string in a style. `other` cannot be reproduced, except for placeholders. */
export function inStyle(value: string, style: EscapeStyle | undefined): JsonString {
  return jsonString(value, style === undefined ? undefined : spellingIn(value, style));
}

/** Whether `actual` can come from the writer of `expected`. A string of ASCII characters does not show the style. */
export function sameEscapes(expected: JsonString, actual: JsonString): boolean {
  if (expected.spelling === actual.spelling) return true;
  const [expectedStyle = 'raw', style] = [escapeStyle(expected), escapeStyle(actual)];
  return expectedStyle !== 'other' && (style === undefined || style === expectedStyle);
}

const styles = ['lower', 'upper', 'raw', 'other'] as const;

function spellingIn(value: string, style: EscapeStyle): string | undefined {
  if (placeholder.test(value)) {
    const marked = { lower: [0], upper: [0], raw: [1], other: [0, 1] }[style];
    const written = [...value].map((character, at) =>
      marked.includes(at) ? escaped(character, style) : JSON.stringify(character).slice(1, -1),
    );
    return `"${written.join('')}"`;
  }
  if (style === 'other') return undefined;
  const raw = JSON.stringify(value);
  return style === 'raw' ? raw : raw.replaceAll(nonAscii, (unit) => escaped(unit, style));
}

const nonAscii = /[\x80-\uffff]/g;

/** The escape of a UTF-16 unit. */
function escaped(unit: string, style: EscapeStyle): string {
  const digits = unit.charCodeAt(0).toString(16).padStart(4, '0');
  return `\\u${style === 'upper' ? digits.toUpperCase() : digits}`;
}
