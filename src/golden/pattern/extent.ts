/**
 * Where the values of a kind can be inside a longer text. A regular expression for a whole template would try every
 * combination of ends; these functions take linear time.
 */
export type Extent = {
  /** Sticky; matches the longest value that begins at `lastIndex`. */
  readonly pattern: RegExp;
  /** The indices at which a value can begin that ends at one of `ends`. A set of indices has 1 for each of its members. */
  readonly starts: (text: string, ends: Uint8Array) => Uint8Array;
};

/** Values whose form shows where they end: `pattern` has one match at an index, or none. */
export function selfDelimiting(source: string): Extent {
  const pattern = new RegExp(source, 'y');
  return {
    pattern,
    starts: (text, ends) =>
      sweep(text, (at) => {
        pattern.lastIndex = at;
        return pattern.test(text) && ends[pattern.lastIndex] === 1;
      }),
  };
}

/** One or more characters of a class. */
export function run(characterClass: string): Extent {
  const character = new RegExp(characterClass);
  return {
    pattern: new RegExp(`${characterClass}+`, 'y'),
    starts: (text, ends) =>
      sweep(text, (at, starts) => {
        const follows = ends[at + 1] === 1 || starts[at + 1] === 1;
        return follows && character.test(text[at] ?? '');
      }),
  };
}

export const anyText: Extent = {
  pattern: /.*/sy,
  starts: (text, ends) => sweep(text, (at, starts) => ends[at] === 1 || starts[at + 1] === 1),
};

const digits = run('\\d');

export const wholeNumber: Extent = {
  pattern: /-?\d+/y,
  starts: (text, ends) => union(digits.starts(text, ends), after(text, '-', digits.starts(text, ends))),
};

/** Digits, and a fraction or none. */
export const decimal: Extent = {
  pattern: /\d+(?:\.\d+)?/y,
  starts: (text, ends) => digits.starts(text, union(ends, after(text, '.', digits.starts(text, ends)))),
};

/** The longest end of a value that begins at `at`: one of `ends`, which has one. */
export function longestEnd({ pattern }: Extent, text: string, at: number, ends: Uint8Array): number {
  const longest = (value: string, from: number) => {
    pattern.lastIndex = from;
    return pattern.test(value) ? pattern.lastIndex : -1;
  };
  let end = longest(text, at);
  while (end > at && !(ends[end] === 1 && longest(text.slice(at, end), 0) === end - at)) end -= 1;
  return end;
}

/** The indices before `character` if the one behind it is in `ends`. */
function after(text: string, character: string, ends: Uint8Array): Uint8Array {
  return sweep(text, (at) => text[at] === character && ends[at + 1] === 1);
}

function union(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((one, index) => one | (b[index] ?? 0));
}

/** Builds a set of indices from the end of the text to its start: `isMember` sees those behind the index. */
function sweep(text: string, isMember: (at: number, members: Uint8Array) => boolean): Uint8Array {
  const members = new Uint8Array(text.length + 1);
  for (let at = text.length; at >= 0; at -= 1) members[at] = isMember(at, members) ? 1 : 0;
  return members;
}
