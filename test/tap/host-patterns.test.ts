import { expect, it } from 'vitest';
import { interceptedHosts, matchesHost } from '../../src/tap/intercept.ts';

it('matches the hosts of the official client, ignoring case', () => {
  expect(matchesHost('ChatGPT.com', interceptedHosts)).toBe(true);
  expect(matchesHost('ab.chatgpt.com', interceptedHosts)).toBe(true);
  expect(matchesHost('auth.openai.com', interceptedHosts)).toBe(true);
});

it('does not match hosts with similar names', () => {
  expect(matchesHost('notchatgpt.com', interceptedHosts)).toBe(false);
  expect(matchesHost('chatgpt.com.example', interceptedHosts)).toBe(false);
  expect(matchesHost('openai.com', interceptedHosts)).toBe(false);
});
