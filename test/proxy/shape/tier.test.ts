import { expect, it } from 'vitest';
import { requestTier, wireTier } from '../../../src/proxy/shape/tier.ts';
import { parseJson } from '../../../src/wire/json.ts';

const sent = [
  ['"fast"', 'priority'],
  ['"priority"', 'priority'],
  ['"flex"', 'flex'],
  ['"default"', undefined],
  ['"auto"', undefined],
] as const;

it.each([...sent, ['null', undefined] as const])('sends the tier %s of a request as %s', (asked, tier) => {
  expect(requestTier(parseJson(asked).node)).toEqual({ tier });
});

it('sends no tier where a request has none', () => {
  expect(requestTier(undefined)).toEqual({ tier: undefined });
});

it.each(['"scale"', '"ultrafast"', '"Priority"', '""', '"toString"', 'true', '7', '["fast"]'])(
  'refuses the tier %s',
  (asked) => {
    const answer = requestTier(parseJson(asked).node);
    if (!('refusal' in answer)) throw new Error('it was not refused');
    expect(answer.refusal.status).toBe(400);
    expect(JSON.parse(answer.refusal.body)).toEqual({
      error: {
        message:
          "Invalid value for 'service_tier'. Supported: 'fast', 'priority', 'flex', 'default', 'auto'.",
        type: 'invalid_request_error',
        param: 'service_tier',
        code: 'invalid_value',
      },
    });
  },
);

it.each([...sent, ['"scale"', undefined] as const])('sends the hint %s as %s', (asked, tier) => {
  expect(wireTier(JSON.parse(asked))).toBe(tier);
});
