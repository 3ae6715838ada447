import { expect, it } from 'vitest';
import {
  changesRequests,
  clientModel,
  officialSettings,
  withClientHeaders,
} from '../../src/client/client-settings.ts';

const sent = [
  ['Host', 'a'],
  ['Authorization', 'Bearer token'],
] as const;

it('changes nothing of the official client without settings', () => {
  expect(changesRequests(officialSettings)).toBe(false);
  expect(withClientHeaders(sent, officialSettings)).toEqual(sent);
  expect(clientModel(officialSettings, 'gpt-5')).toBe('gpt-5');
});

it('sends the key in the place and case of the header that has the token', () => {
  const settings = { key: 'the-key', headers: [['x-team', 'one']], models: {} } as const;
  expect(withClientHeaders(sent, settings)).toEqual([
    ['Host', 'a'],
    ['Authorization', 'Bearer the-key'],
    ['x-team', 'one'],
  ]);
  expect(changesRequests(settings)).toBe(true);
});

it.each([
  [{ 'gpt-5': 'five' }, 'five'],
  [{ '*': 'codex/*' }, 'codex/gpt-5'],
  [{ '*': 'codex/*', 'gpt-5': 'five' }, 'five'],
  [{ 'gpt-4': 'four' }, 'gpt-5'],
])('names a model by %j', (models, name) => {
  expect(clientModel({ headers: [], models }, 'gpt-5')).toBe(name);
});
