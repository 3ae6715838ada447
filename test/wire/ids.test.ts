import { expect, it } from 'vitest';
import { isUuid4, isUuid7, uuid4, uuid7 } from '../../src/wire/ids.ts';

// The examples of RFC 9562, appendices A.6 and A.3, in lowercase.
const version7 = '017f22e2-79b0-7cc3-98c4-dc0c0c07398f';
const version4 = '919108f7-52d1-4320-9bac-f847db4148a8';

it('distinguishes the versions', () => {
  expect(isUuid7(version7)).toBe(true);
  expect(isUuid4(version4)).toBe(true);
  expect(isUuid7(version4)).toBe(false);
  expect(isUuid4(version7)).toBe(false);
});

it('requires the variant bits', () => {
  expect(isUuid7(version7.replace('-98c4', '-c8c4'))).toBe(false);
  expect(isUuid4(version4.replace('-9bac', '-7bac'))).toBe(false);
});

it('requires the lowercase canonical form without surrounding text', () => {
  expect(isUuid7(version7.toUpperCase())).toBe(false);
  expect(isUuid7(version7.replaceAll('-', ''))).toBe(false);
  expect(isUuid7(`${version7}\n`)).toBe(false);
  expect(isUuid7(`msg_${version7}`)).toBe(false);
});

it('creates a version 7 for a given time', () => {
  const made = uuid7(1_767_225_600_123);
  expect(isUuid7(made)).toBe(true);
  expect(Number.parseInt(made.replace('-', '').slice(0, 12), 16)).toBe(1_767_225_600_123);
  expect(uuid7(1_767_225_600_123)).not.toBe(made);
});

it('creates a version 4', () => {
  expect(isUuid4(uuid4())).toBe(true);
});
