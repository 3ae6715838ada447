import { ParityError } from '../../errors.ts';

const version = /^\d+\.\d+\.\d+(-[0-9A-Za-z]+([.-][0-9A-Za-z]+)*)?$/;

/** Whether a text is an exact version, such as `0.169.0` or `0.170.0-alpha.3`, and not a range or tag. */
export function isVersion(text: string): boolean {
  return version.test(text);
}

/** The error for a version that does not exist or is not one. */
export function unknownVersion(text: string, reason: string): ParityError {
  return new ParityError(
    'unknown-version',
    `Codex ${JSON.stringify(text)} ${reason}. List the released versions with: npm view @openai/codex versions`,
  );
}
