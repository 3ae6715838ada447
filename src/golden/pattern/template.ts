/**
 * The pattern language in strings: `{{name}}` is a variable, and `{{{{}}` is an escape for two literal opening braces. So
 * `msg_{{msg_id}}` has a literal part and a variable. A string without `{{` is one literal part.
 */
export type TemplatePart = { readonly literal: string } | { readonly variable: string };

const braces = /\{\{(\{\{|[a-z0-9_#]+)\}\}/g;

export function parseTemplate(text: string): readonly TemplatePart[] {
  if (!text.includes('{{')) return [{ literal: text }];
  const parts: TemplatePart[] = [];
  let literal = '';
  let end = 0;
  for (const match of text.matchAll(braces)) {
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
    // Join adjacent literal parts before escaping: the first may end, and the second begin, with a brace.
    if ('literal' in part) literal += part.literal;
    else {
      text += `${escapeBraces(literal)}{{${part.variable}}}`;
      literal = '';
    }
  }
  return text + escapeBraces(literal);
}

function escapeBraces(literal: string): string {
  return literal.replaceAll('{{', '{{{{}}');
}

/** The variable of a template that consists of one variable only; undefined for any other template. */
export function soleVariable(text: string): string | undefined {
  return /^\{\{([a-z0-9_#]+)\}\}$/.exec(text)?.[1];
}
