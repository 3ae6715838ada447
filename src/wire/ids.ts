import { randomUUID } from 'node:crypto';

const uuid7Form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const uuid4Form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/**
 * True for a UUID of version 7 (RFC 9562 §5.7) in lowercase canonical form, the only form the official client writes.
 */
export function isUuid7(text: string): boolean {
  return uuid7Form.test(text);
}

/** True for a UUID of version 4 (RFC 9562 §5.4) in lowercase canonical form. */
export function isUuid4(text: string): boolean {
  return uuid4Form.test(text);
}

/** A new UUIDv7 for a time in milliseconds since 1970. Two of the same millisecond are in no particular order. */
export function uuid7(now: number = Date.now()): string {
  const time = now.toString(16).padStart(12, '0');
  // The part after the version is random with the same layout as in a UUIDv4.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/** A new UUIDv4. */
export function uuid4(): string {
  return randomUUID();
}

/** A JSON Web Token (RFC 7519) with these claims, which no server issued. */
export function unsignedToken(claims: object): string {
  const parts = [JSON.stringify({ alg: 'none', typ: 'JWT' }), JSON.stringify(claims), 'unsigned'];
  return parts.map((part) => Buffer.from(part).toString('base64url')).join('.');
}
