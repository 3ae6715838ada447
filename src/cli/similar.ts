/** The most similar of some names, if it is so similar that it is probably meant. */
export function similarTo<Name extends string>(text: string, names: readonly Name[]): Name | undefined {
  const parts = text.split(/[/-]/);
  const rated = names.map((name) => {
    // A name with a part that is missing or left over is meant too.
    const shared = name.split(/[/-]/).filter((part) => parts.includes(part)).length;
    return { name, distance: editDistance(text, name) - shared };
  });
  const [best] = rated.sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.max(2, text.length / 3) ? best.name : undefined;
}

/** How many characters must be inserted, removed or replaced (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [index, character] of [...a].entries()) {
    const next = [index + 1];
    for (let at = 0; at < b.length; at += 1) {
      const replaced = (row[at] ?? 0) + (character === b[at] ? 0 : 1);
      next.push(Math.min(replaced, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
