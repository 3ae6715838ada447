import { createCipheriv, createDecipheriv, hash, hkdfSync, randomBytes } from 'node:crypto';
import type { SharedState } from '../state/shared-state.ts';
import { takeLock } from '../state/state-lock.ts';
import { expiryOf, type IssuedTokens, reasonToRefresh } from './stored-sign-in.ts';
import type { RefreshResult } from './token-endpoint.ts';

/** Milliseconds for which new tokens are kept for processes that still have the old ones. */
const lifetime = 30 * 24 * 60 * 60_000;

/** Milliseconds to wait for another process that renews the same tokens: longer than a renewal with all its retries. */
const heldPatience = 20_000;

/** Milliseconds to wait for a state that is away. To use a refresh token twice would end the sign-in. */
const awayPatience = 5000;

/** The most renewals to follow from a refresh token to the newest one. */
const mostRenewals = 1000;

const cipher = 'aes-256-gcm';
const ivLength = 12;
const tagLength = 16;

/**
 * Renewals that several machines make once, each with its own copy of a sign-in. A refresh token can be used once: one process
 * uses it, and the others receive the new tokens. They are encrypted with a key that is derived from the old refresh token, so
 * only its holders can read them.
 */
export class SharedRenewals {
  readonly #state: SharedState;
  /** New tokens that could not be stored, by their old refresh token. */
  readonly #unstored = new Map<string, IssuedTokens>();

  constructor(state: SharedState) {
    this.#state = state;
    state.onReturn(() => {
      for (const [refreshToken, tokens] of [...this.#unstored]) void this.#store(refreshToken, tokens);
    });
  }

  /**
   * Returns the newest tokens after a refresh token: those that another process has received, else the result of `request`,
   * which is called with the newest refresh token. `canWait`: whether the old access token can be used for a while, so that
   * nothing is renewed while the state is away.
   */
  async renew(
    refreshToken: string,
    canWait: boolean,
    request: (newest: string) => Promise<RefreshResult>,
  ): Promise<RefreshResult> {
    const known = await this.#find(refreshToken);
    if (known !== undefined && !isStale(known)) return { outcome: 'renewed', tokens: known };
    const newest = known?.refreshToken ?? refreshToken;
    const patience = { held: heldPatience, away: canWait ? 0 : awayPatience };
    const isDone = async () => (await this.#find(newest)) !== undefined;
    const lock = await takeLock(this.#state, `renewal:${digest(newest)}`, { patience, isDone });
    if (lock === 'away' && canWait) return { outcome: 'failed', reason: `${this.#state.name} is away` };
    try {
      const renewed = await this.#find(newest);
      if (renewed !== undefined) return { outcome: 'renewed', tokens: merged(known, renewed) };
      if (lock === 'held') return { outcome: 'failed', reason: 'another proxy renews it' };
      const result = await request(newest);
      if (result.outcome !== 'renewed') return result;
      await this.#store(newest, result.tokens);
      return { outcome: 'renewed', tokens: merged(known, result.tokens) };
    } finally {
      if (typeof lock === 'object') await lock.release();
    }
  }

  /** Follows the renewals of a refresh token to the newest tokens. Undefined if there was none. */
  async #find(refreshToken: string): Promise<IssuedTokens | undefined> {
    let newest: IssuedTokens | undefined;
    let from: string | undefined = refreshToken;
    for (let count = 0; from !== undefined && count < mostRenewals; count += 1) {
      const [text] = await this.#state.get([`tokens:${digest(from)}`]);
      const tokens: IssuedTokens | undefined = text === undefined ? undefined : decrypt(from, text);
      if (tokens === undefined) break;
      newest = merged(newest, tokens);
      from = tokens.refreshToken === from ? undefined : tokens.refreshToken;
    }
    return newest;
  }

  async #store(refreshToken: string, tokens: IssuedTokens): Promise<void> {
    const key = `tokens:${digest(refreshToken)}`;
    if (await this.#state.set(key, encrypt(refreshToken, tokens), lifetime))
      this.#unstored.delete(refreshToken);
    else this.#unstored.set(refreshToken, tokens);
  }
}

/** A token that a renewal does not return keeps its value. */
function merged(
  before: IssuedTokens | undefined,
  { idToken, accessToken, refreshToken }: IssuedTokens,
): IssuedTokens {
  return {
    idToken: idToken ?? before?.idToken,
    accessToken,
    refreshToken: refreshToken ?? before?.refreshToken,
  };
}

function isStale({ accessToken }: IssuedTokens): boolean {
  const times = { expiresAt: expiryOf(accessToken), refreshedAt: undefined };
  return reasonToRefresh(times, Date.now()) !== undefined;
}

/** A refresh token cannot be found by its digest: it is long and random. */
function digest(refreshToken: string): string {
  return hash('sha256', refreshToken);
}

function keyFrom(refreshToken: string): Buffer {
  return Buffer.from(hkdfSync('sha256', refreshToken, '', 'codex-parity tokens', 32));
}

function encrypt(refreshToken: string, tokens: IssuedTokens): string {
  const iv = randomBytes(ivLength);
  const encryption = createCipheriv(cipher, keyFrom(refreshToken), iv);
  const bytes = [encryption.update(JSON.stringify(tokens), 'utf8'), encryption.final()];
  return Buffer.concat([iv, encryption.getAuthTag(), ...bytes]).toString('base64');
}

/** Returns undefined for a text that was not encrypted for the refresh token. */
function decrypt(refreshToken: string, text: string): IssuedTokens | undefined {
  try {
    const bytes = Buffer.from(text, 'base64');
    const decryption = createDecipheriv(cipher, keyFrom(refreshToken), bytes.subarray(0, ivLength), {
      authTagLength: tagLength,
    });
    decryption.setAuthTag(bytes.subarray(ivLength, ivLength + tagLength));
    const plain = Buffer.concat([
      decryption.update(bytes.subarray(ivLength + tagLength)),
      decryption.final(),
    ]);
    const { idToken, accessToken, refreshToken: next }: IssuedTokens = JSON.parse(plain.toString('utf8'));
    return { idToken, accessToken, refreshToken: next };
  } catch {
    return undefined;
  }
}
