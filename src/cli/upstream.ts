import { ParityError } from '../errors.ts';
import type { SignIn } from '../proxy/sign-in/sign-in.ts';

/** The official client's base URLs, by lane. */
export const officialUpstreams: Readonly<Record<SignIn['lane'], string>> = {
  chatgpt: 'https://chatgpt.com/backend-api/codex',
  'api-key': 'https://api.openai.com/v1',
};

/** Parses the value of --upstream. Throws ParityError if it is not an http or https URL. */
export function parseUpstream(text: string): URL {
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return new URL(text);
  throw new ParityError('usage', `--upstream "${text}" is not an http or https URL`);
}
