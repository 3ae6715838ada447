/**
 * How secrets are recognised: by header name, by JSON key, or by form. One table for each; the names on the right are
 * the kinds that a sealed trace shows.
 */

const headerKinds: ReadonlyMap<string, string> = new Map([
  ['authorization', 'token'],
  ['proxy-authorization', 'token'],
  ['cookie', 'cookie'],
  ['set-cookie', 'cookie'],
  ['chatgpt-account-id', 'account_id'],
  ['openai-organization', 'organization'],
  ['openai-project', 'project'],
]);

const keyKinds: ReadonlyMap<string, string> = new Map([
  ['account_id', 'account_id'],
  ['chatgpt_account_id', 'account_id'],
  ['user_id', 'user_id'],
  ['chatgpt_user_id', 'user_id'],
  ['email', 'email'],
  ['installation_id', 'installation_id'],
  ['x-codex-installation-id', 'installation_id'],
  // Git facts that the client puts into turn metadata inside a repository.
  ['associated_remote_urls', 'git_remote'],
  ['latest_git_commit_hash', 'git_commit'],
]);

/**
 * A header or key that ends in such a word carries a secret, in any case style: client_secret, refreshToken, X-Api-Key.
 */
const secretWord = /(?:^|_)(?:token|secret|password|passwd|passphrase|credentials?|api_?key|private_key)$/;

/** Headers, in lower case, that contain an address, whose query may contain secrets. */
export const addressHeaders: ReadonlySet<string> = new Set(['location', 'content-location', 'referer']);

/** Keys of content: text written by a person, a model, a tool or a prompt author. */
export const contentKeys: ReadonlySet<string> = new Set([
  'text',
  'content',
  'input',
  'message',
  'title',
  'delta',
  'description',
  'instructions',
  'output',
  'arguments',
  'definition',
  'refusal',
  'image_url',
  'encrypted_content',
]);

/** Credentials that are recognised by their form, at any place. */
export const credentialPatterns: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ['token', /eyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g],
  ['token', /\b(?:sk|sess|rt)-[\w-]{16,}/g],
  ['account_id', /\b(?:user|org|acct|account|proj)[-_][A-Za-z0-9]{16,}/g],
  ['email', /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g],
];

/** The kind of secret in a header with this name. Undefined for an ordinary header. */
export function secretHeader(name: string): string | undefined {
  return headerKinds.get(name.toLowerCase()) ?? secretKey(name);
}

/** The kind of secret under this JSON key. Undefined for an ordinary key. */
export function secretKey(key: string): string | undefined {
  const words = key
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
  return keyKinds.get(key.toLowerCase()) ?? (secretWord.test(words) ? 'token' : undefined);
}
