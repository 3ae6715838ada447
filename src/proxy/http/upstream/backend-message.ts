import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';

/** A response of the backend whose body is read as it comes: Node's own, or that of a kept connection. */
export type BackendMessage = Readable &
  Pick<IncomingMessage, 'statusCode' | 'statusMessage' | 'rawHeaders' | 'headers' | 'complete'>;

/** The most bytes of a response's head. Node takes 16 KiB by default, the official client more. */
export const longestHead = 256 * 1024;
