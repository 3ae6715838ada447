/** The known word most like another; undefined if none is like it. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const [first] = known
    .map((candidate) => ({ candidate, edits: editsBetween(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= Math.max(1, Math.ceil(candidate.length / 3)))
    .sort((a, b) => a.edits - b.edits);
  return first?.candidate;
}

/** The start of advice that names the known word most like another, such as `did you mean "fast"? `; empty if none is. */
export function didYouMean(word: string, known: readonly string[]): string {
  const meant = nearest(word, known);
  return meant === undefined ? '' : `did you mean "${meant}"? `;
}

/** A list with more words is not printed if one of them is meant. */
const longestList = 20;

/** Advice about an unknown word: the known word most like it, and all known ones. */
export function chooseFrom(word: string, known: readonly string[]): string {
  const meant = didYouMean(word, known);
  return meant !== '' && known.length > longestList
    ? meant.trim()
    : `${meant}choose from ${known.join(', ')}`;
}

/** How many characters must be inserted, removed or replaced to make one word the other (Levenshtein's distance). */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const [removed = 0, inserted = 0, replaced = 0] = [row[j + 1], next[j], row[j]];
      next.push(Math.min(removed + 1, inserted + 1, replaced + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
