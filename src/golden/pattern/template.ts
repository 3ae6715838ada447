/**
 * The pattern language, in strings: `{{name}}` is a variable, `{{{{}}` spells two literal opening braces. So
 * `msg_{{msg_id}}` is a literal part and a variable. A string without `{{` is itself.
 */
export type TemplatePart = { readonly literal: string } | { readonly variable: string };

const hole = /\{\{(\{\{|[a-z0-9_#]+)\}\}/g;

export function parseTemplate(text: string): readonly TemplatePart[] {
  if (!text.includes('{{')) return [{ literal: text }];
  const parts: TemplatePart[] = [];
  let literal = '';
  let end = 0;
  for (const match of text.matchAll(hole)) {
    literal += text.slice(end, match.index);
    end = match.index + match[0].length;
    const name = match[1] ?? '';
    if (name === '{{') {
      literal += '{{';
      continue;
    }
    if (literal !== '') parts.push({ literal });
    literal = '';
    parts.push({ variable: name });
  }
  literal += text.slice(end);
  if (literal !== '' || parts.length === 0) parts.push({ literal });
  return parts;
}

export function printTemplate(parts: readonly TemplatePart[]): string {
  let text = '';
  let literal = '';
  for (const part of parts) {
    // Literal parts in a row are one text: two of them may each end with a brace.
    if ('literal' in part) literal += part.literal;
    else {
      text += `${spelledOut(literal)}{{${part.variable}}}`;
      literal = '';
    }
  }
  return text + spelledOut(literal);
}

function spelledOut(literal: string): string {
  return literal.replaceAll('{{', '{{{{}}');
}

/** The one variable that a template consists of; undefined for any other template. */
export function soleVariable(text: string): string | undefined {
  return /^\{\{([a-z0-9_#]+)\}\}$/.exec(text)?.[1];
}
