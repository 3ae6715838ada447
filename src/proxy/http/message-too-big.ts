/** The code with which a websocket is closed for a message that is too big (RFC 6455, section 7.4.1). */
export const messageTooBig = 1009;

/**
 * Whether the websocket library reports a message that is larger than its limit. It then sends a close message with
 * `messageTooBig`, and reads no more.
 */
export function isMessageTooBig(error: Error): boolean {
  return 'code' in error && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
}
