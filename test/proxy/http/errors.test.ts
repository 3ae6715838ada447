import { expect, it } from 'vitest';
import { errorFromFailedResponse, errorFromFrame } from '../../../src/proxy/http/errors.ts';
import { toNode } from '../../../src/wire/json.ts';

it.each([
  ['bio_policy', 400, 'invalid_request_error'],
  ['cyber_policy', 400, 'invalid_request_error'],
  ['data_residency_mismatch', 400, 'invalid_request_error'],
  ['failed_to_download_image', 400, 'invalid_request_error'],
  ['invalid_prompt', 400, 'invalid_request_error'],
  ['misalignment_policy_violation', 400, 'invalid_request_error'],
  ['previous_response_not_found', 400, 'invalid_request_error'],
  ['insufficient_quota', 429, 'rate_limit_error'],
  ['usage_not_included', 429, 'rate_limit_error'],
  ['slow_down', 503, 'server_error'],
  ['context_length_exceeded', 400, 'invalid_request_error'],
  ['image_too_large', 400, 'invalid_request_error'],
  ['invalid_base64_image', 400, 'invalid_request_error'],
  ['rate_limit_exceeded', 429, 'rate_limit_error'],
  ['usage_limit_reached', 429, 'rate_limit_error'],
  ['server_is_overloaded', 503, 'server_error'],
  ['server_error', 500, 'server_error'],
  ['imagery', 500, 'server_error'],
  ['of a later version', 500, 'server_error'],
])('maps the error code %s to status %i', (code, status, type) => {
  const failed = errorFromFailedResponse(toNode({ error: { code, message: 'what' } }));
  expect(failed.status).toBe(status);
  expect(failed.message).toBe('what');
  expect(JSON.parse(failed.body)).toEqual({ error: { code, message: 'what', type, param: null } });
});

it.each([undefined, toNode({}), toNode({ error: null })])(
  'completes the error of the failed response %j',
  (response) => {
    expect(errorFromFailedResponse(response)).toMatchObject({
      status: 500,
      body: '{"error":{"message":"the response failed","type":"server_error","param":null,"code":null}}',
    });
  },
);

it.each([
  { stated: { status: 404 }, expected: 404 },
  { stated: { status_code: '503' }, expected: 503 },
  { stated: { status: 200 }, expected: 429 },
  { stated: {}, expected: 429 },
])(
  'takes the status of an error frame from $stated, with the error inside and at top level',
  ({ stated, expected }) => {
    const error = { code: 'rate_limit_exceeded', message: 'slow', param: null };
    const headers = { 'retry-after': 7, 'set-cookie': 'a' };
    for (const content of [{ error }, error]) {
      const read = errorFromFrame(
        toNode({ type: 'error', sequence_number: 3, ...content, ...stated, headers }),
      );
      expect(read.status).toBe(expected);
      expect(read.headers).toEqual([['retry-after', '7']]);
      expect(JSON.parse(read.body).error).toMatchObject(error);
      expect(JSON.parse(read.body).error).not.toHaveProperty('status');
    }
  },
);
