import { createHash, randomBytes } from 'node:crypto';
import { newId, type ScriptedOutput } from './scripted-response.ts';

/**
 * A reasoning item with a summary. Its content is encrypted, and sent only if the request includes
 * `reasoning.encrypted_content`.
 */
export function reasoning(summary: string, withContent: boolean): ScriptedOutput {
  const id = newId('rs');
  const content = withContent ? { encrypted_content: newEncryptedContent() } : {};
  const part = { type: 'summary_text', text: summary };
  const position = { item_id: id, output_index: 0, summary_index: 0 };
  return {
    begun: { id, type: 'reasoning', summary: [], ...content },
    events: [
      { type: 'response.reasoning_summary_part.added', ...position, part: { ...part, text: '' } },
      { type: 'response.reasoning_summary_text.delta', ...position, delta: summary },
      { type: 'response.reasoning_summary_text.done', ...position, text: summary },
      { type: 'response.reasoning_summary_part.done', ...position, part },
    ],
    item: { id, type: 'reasoning', summary: [part], ...content },
  };
}

const prefix = 'gAAAAA';

function newEncryptedContent(): string {
  const random = randomBytes(48).toString('base64url');
  return `${prefix}${random}${checksum(random)}`;
}

/** Whether this backend, or another one of this program, made the encrypted content, and nobody changed it. */
export function isEncryptedContent(text: string): boolean {
  const random = text.slice(prefix.length, -16);
  return text.startsWith(prefix) && text.endsWith(checksum(random));
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
