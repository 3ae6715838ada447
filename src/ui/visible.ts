/** What is not visible as itself: control characters, characters of no width, and those that reorder text. */
const invisible =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]/gu;

/** The text with an escape in place of each character that a reader would not see, or that could reorder the text. */
export function visible(text: string): string {
  return text.replaceAll(invisible, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
  });
}

/** The same, with line ends kept. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}
