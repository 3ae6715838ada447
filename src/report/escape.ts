/**
 * One function for each place that output goes to. Output quotes clients, subjects, backends and files: none of them may
 * control a terminal, hide or reorder text, or add markup or commands of a CI system. Traces travel in bug reports.
 */

/**
 * What is not visible as itself: control characters, with those of terminals; characters of no width, and those that
 * reorder text; line separators; lone surrogates; noncharacters.
 */
const invisible =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]/gu;

/** What may be invisible. Most text has none of it, and finding that is much faster. Reports themselves write › and …. */
const unusual = /[^ -~›…]+/g;
const unusualInLines = /[^\n -~›…]+/g;

/** What a line may have that needs an escape. */
const conspicuous = /[^ -~›…]|##\[|::/;

/** One line of text for a terminal or the log of a CI system. */
export function terminalLine(text: string): string {
  if (!conspicuous.test(text)) return text;
  // GitHub Actions runs lines that begin with "::", and older commands anywhere in a line.
  return withoutCommands(escaped(text, unicodeEscape)).replace(/^(\s*):(?=:)/, '$1\\u003a');
}

/** Lines of text; their line ends stay. */
export function terminalText(text: string): string {
  return text.split('\n').map(terminalLine).join('\n');
}

/** Text in Markdown, without any markup. */
export function markdownText(text: string): string {
  return terminalLine(text).replaceAll(/[\\`*_[\]<>&|~#@!]/g, '\\$&');
}

/** Text as code in Markdown, where markup has no effect. A code span has no escape for its own quotation mark. */
export function markdownCode(text: string): string {
  return `\`${terminalLine(text).replaceAll('`', "'")}\``;
}

/** Text in XML 1.0: in an element, or in an attribute in double quotes. Line ends stay. */
export function xmlText(text: string): string {
  return terminalText(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;');
}

/** A document as JSON, with the same escapes: these do not change its values. */
export function jsonText(document: unknown): string {
  const text = escaped(JSON.stringify(document, null, 2), utf16Escape, unusualInLines);
  return `${withoutCommands(text)}\n`;
}

/** JSON in one line of text for a terminal, still as JSON. */
export function jsonLine(json: string): string {
  return withoutCommands(escaped(json, utf16Escape));
}

/** A document as JSON in an element of HTML: nothing in it can end the element or begin another. */
export function scriptJson(document: unknown): string {
  return escaped(JSON.stringify(document), utf16Escape).replaceAll(/[<>&]/g, utf16Escape);
}

/** The message of a workflow command of GitHub Actions. Its lines stay. */
export function githubMessage(text: string): string {
  return terminalText(text).replaceAll('%', '%25').replaceAll('\n', '%0A');
}

/** A property of a workflow command, in one line. */
export function githubProperty(text: string): string {
  return githubMessage(terminalLine(text)).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

/** Escapes what is invisible. `where` finds the parts of the text that may be. */
function escaped(text: string, asEscape: (character: string) => string, where = unusual): string {
  return text.replaceAll(where, (part) => part.replaceAll(invisible, asEscape));
}

function withoutCommands(text: string): string {
  return text.replaceAll('##[', '#\\u0023[');
}

function unicodeEscape(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
}

/** As in JSON, which has no escape for characters beyond U+FFFF. */
function utf16Escape(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
