/** How many places there are in a table of what was met lately. */
export const places = 1024;

/** The place of a name that stands in bytes; two names may share one, and then the later takes it over. */
export function placeOf(bytes: Buffer, from: number, to: number): number {
  let place = to - from;
  // Names that are alike differ in what they end with.
  for (let at = Math.max(from, to - 8); at < to; at += 1) place = place * 7 + (bytes[at] ?? 0);
  return place % places;
}

/** Whether the bytes are this text; of a text that is not all ASCII it says that they are not. */
export function isText(bytes: Buffer, from: number, to: number, text: string): boolean {
  if (to - from !== text.length) return false;
  for (let at = 0; at < text.length; at += 1) {
    const byte = bytes[from + at] ?? 0;
    if (byte >= 0x80 || byte !== text.charCodeAt(at)) return false;
  }
  return true;
}

/** The names that were met lately. */
export class RecentNames {
  readonly #names = new Array<string>(places).fill('');

  /** Takes in the name that stands in bytes, and gives it back; undefined where it was met lately. */
  add(bytes: Buffer, from: number, to: number): string | undefined {
    const place = placeOf(bytes, from, to);
    if (isText(bytes, from, to, this.#names[place] ?? '')) return undefined;
    const name = bytes.toString('latin1', from, to);
    this.#names[place] = name;
    return name;
  }
}
