import { describe, expect, it } from 'vitest';
import { ParityError } from '../../src/errors.ts';
import { parseStateUrl } from '../../src/proxy/state/redis-state.ts';

/** The message that refuses a value of --state; empty if it is taken. */
function refusalOf(text: string): string {
  try {
    parseStateUrl(text);
    return '';
  } catch (error) {
    return error instanceof ParityError ? error.message : String(error);
  }
}

describe('--state', () => {
  it.each([
    'redis://127.0.0.1:6379',
    'redis://cache/2',
    'rediss://user:secret@cache.example.com:6380/0',
    'redis://[::1]:1',
  ])('takes %s', (text) => expect(parseStateUrl(text).href).toContain(text));

  it.each(['', 'memory', 'http://cache', 'redis://', 'redis://cache/name', 'redis://cache?db=1'])(
    'refuses "%s"',
    (text) => expect(() => parseStateUrl(text)).toThrow(/is not the URL of a Redis server: write redis:/),
  );

  it('is never printed with its password', () => {
    const texts = [
      'http://user:secret@cache',
      'user:secret@cache',
      'redis://u:secret@cache/x',
      'redis://:a/secret@cache:6379/0',
      'redis://:secret%@cache',
      'redis://cache?password=secret',
      'redis://cache#secret',
    ];
    for (const text of texts) {
      const refusal = refusalOf(text);
      expect(refusal).toMatch(/^--state "[^"]*cache.*" is not the URL of a Redis server: write redis:/);
      expect(refusal).not.toContain('secret');
    }
  });
});
