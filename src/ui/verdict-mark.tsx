import type { VerdictData } from './model.ts';

const marks: Readonly<Record<VerdictData['type'], string>> = {
  ok: '✓',
  findings: '✗',
  'not checked': '–',
  failed: '!',
};

/** A verdict as one character, with its name for those who do not see it. */
export function VerdictMark({ verdict: { type, reason } }: { readonly verdict: VerdictData }) {
  const text = reason === undefined ? type : `${type}: ${reason}`;
  return (
    <span class={`mark ${type.replace(' ', '-')}`} role="img" aria-label={text} title={text}>
      {marks[type]}
    </span>
  );
}
