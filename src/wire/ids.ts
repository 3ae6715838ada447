import { randomUUID } from 'node:crypto';

/** Matches a UUID of a version in lowercase canonical form, the only form the official client writes. */
function uuidForm(version: number): RegExp {
  return new RegExp(`^[0-9a-f]{8}-[0-9a-f]{4}-${version}[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`);
}

const forms = { 4: uuidForm(4), 5: uuidForm(5), 7: uuidForm(7) };

/** True for a UUID of version 7 (RFC 9562 §5.7). */
export function isUuid7(text: string): boolean {
  return forms[7].test(text);
}

/** True for a UUID of version 5, which is made from a name (RFC 9562 §5.5). */
export function isUuid5(text: string): boolean {
  return forms[5].test(text);
}

/** True for a UUID of version 4 (RFC 9562 §5.4). */
export function isUuid4(text: string): boolean {
  return forms[4].test(text);
}

/** The time in a UUIDv7, in milliseconds since 1970. */
export function timeOfUuid7(uuid: string): number {
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
}

/** A new UUIDv7 for a time in milliseconds since 1970. Two of the same millisecond are in no particular order. */
export function uuid7(now: number = Date.now()): string {
  const time = now.toString(16).padStart(12, '0');
  // The part after the version is random with the same layout as in a UUIDv4.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/** A new UUID with the form of version 5. It is random, not made from a name. */
export function uuid5(): string {
  const random = randomUUID();
  return `${random.slice(0, 14)}5${random.slice(15)}`;
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
