import { ParityError } from '../../errors.ts';

const version = /^\d+\.\d+\.\d+(-[0-9A-Za-z]+([.-][0-9A-Za-z]+)*)?$/;

/** Whether a text is one whole version such as `0.169.0` or `0.170.0-alpha.3`: no range, no tag, no leading `v`. */
export function isVersion(text: string): boolean {
  return version.test(text);
}

/** What to say about a version that does not exist or is none. */
export function unknownVersion(text: string, reason: string): ParityError {
  return new ParityError(
    'unknown-version',
    `Codex ${JSON.stringify(text)} ${reason}; list the versions there are with: npm view @openai/codex versions`,
  );
}
