import type { Variable } from '../golden.ts';
import type { TemplatePart } from './template.ts';

/** A product of a user agent: a token with a version or none (RFC 9110, sections 5.6.2 and 10.1.5). */
const product = /^[\w!#$%&'*+.^`|~/-]+$/;

/**
 * Whether texts that the host decides stay within their places. In a comment (`({{user_agent}})`) there is no other
 * comment, and between two parts of a user agent (`) {{user_agent_2}} (`) is one product, such as `xterm-256color`.
 * Otherwise a product or comment that is inserted would pass as text of the host.
 */
export function fitsHostText(
  parts: readonly TemplatePart[],
  values: readonly (readonly [name: string, value: string])[],
  variables: ReadonlyMap<string, Variable>,
): boolean {
  let index = 0;
  return parts.every((part, at) => {
    if ('literal' in part) return true;
    const value = values[index++]?.[1] ?? '';
    if (variables.get(part.variable)?.kind !== 'host_text') return true;
    const [before, after] = [literalAt(parts, at - 1), literalAt(parts, at + 1)];
    if (before.endsWith('(') && after.startsWith(')')) return !/[()]/.test(value);
    return !(before.endsWith(') ') && after.startsWith(' (')) || product.test(value);
  });
}

function literalAt(parts: readonly TemplatePart[], index: number): string {
  const part = parts[index];
  return part !== undefined && 'literal' in part ? part.literal : '';
}
