import { expect, it } from 'vitest';
import { ApiError } from '../../../src/proxy/http/errors.ts';
import { requestTier, wireTier } from '../../../src/proxy/shape/tier.ts';
import { parseJson } from '../../../src/wire/json.ts';

const tiers = [
  ['"fast"', 'priority'],
  ['"priority"', 'priority'],
  ['"flex"', 'flex'],
  ['"default"', undefined],
  ['"auto"', undefined],
] as const;

it.each([...tiers, ['null', undefined] as const])('sends a requested tier %s as %s', (requested, tier) => {
  expect(requestTier(parseJson(requested).node)).toBe(tier);
});

it('sends no tier if the request has none', () => {
  expect(requestTier(undefined)).toBeUndefined();
});

it.each(['"scale"', '"ultrafast"', '"Priority"', '""', '"toString"', 'true', '7', '["fast"]'])(
  'rejects the tier %s',
  (requested) => {
    const refusal = thrownBy(() => requestTier(parseJson(requested).node));
    expect(refusal.status).toBe(400);
    expect(JSON.parse(refusal.body)).toEqual({
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

it.each([...tiers, ['"a-newer-tier"', 'a-newer-tier'] as const])(
  'puts %s into the routing hint as %s',
  (requested, tier) => {
    expect(wireTier(JSON.parse(requested))).toBe(tier);
  },
);

function thrownBy(call: () => unknown): ApiError {
  try {
    call();
  } catch (error) {
    if (error instanceof ApiError) return error;
  }
  throw new Error('no ApiError was thrown');
}
