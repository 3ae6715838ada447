import fc from 'fast-check';

const characterAt = (index: number) => String.fromCodePoint(index < 0xd800 ? index : index + 0x800);

/** The unit `binary` of fast-check, any character. That one takes a second for a list of all of them, which stays in memory. */
export const anyCharacter = fc.nat(0x10f7ff).map(characterAt, (text) => {
  const code = String(text).codePointAt(0) ?? 0;
  const index = code < 0xd800 ? code : code - 0x800;
  if (characterAt(index) !== text) throw new TypeError('not one character');
  return index;
});
