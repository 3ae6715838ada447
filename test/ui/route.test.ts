import { describe, expect, it } from 'vitest';
import { overview, type PageRoute, parseRoute, routeLink } from '../../src/ui/route.ts';

const conversation = { page: 'conversation', conversation: '0.169.0/chatgpt/fast', variant: 0 } as const;

const routes: readonly PageRoute[] = [
  overview,
  { page: 'overview', filter: { level: 'breaks', text: 'a b&c=d#e?%' }, cause: 'session/header-renamed/x' },
  conversation,
  { ...conversation, variant: 1, view: 'parity', row: 12 },
  { ...conversation, conversation: 'a b/ü%/?#<>"', cause: 'tier/hint-missing' },
];

describe('a link', () => {
  it.each(routes)('leads to what it was made of: %j', (route) => {
    const link = routeLink(route);
    expect(link).toMatch(/^#\/[\w.!~*'()/?&=%+-]*$/);
    expect(parseRoute(link)).toEqual(route);
  });

  it.each(['', '#', '#/', '#?level=worst', '#/?'])('leads to the overview if it says nothing: %j', (hash) => {
    expect(parseRoute(hash)).toEqual(overview);
  });

  it('is read without an error, whatever it says', () => {
    expect(parseRoute('#/%E0%A4%A/b?row=-1&variant=x')).toEqual({
      page: 'conversation',
      conversation: '%E0%A4%A/b',
      variant: 0,
    });
  });
});
