import type { RequestHead, ResponseHead, Side, WebSocketMessage } from '../wire/message.ts';

/**
 * What a tap tells the trace writer: decoded from a copy of the bytes, and not sealed yet, so never to be stored
 * or printed as it is. Connections and exchanges (one request with its response) are numbered from 1 in one tap.
 */
export type Observation =
  | {
      readonly type: 'connection';
      readonly connection: number;
      /** The host, with the port where it is not the scheme's own, that the client meant to reach. */
      readonly authority: string;
      /** ALPN protocols the client offered and the one chosen; null on a plain connection. */
      readonly tls: { readonly offered: readonly string[]; readonly chosen: string | null } | null;
    }
  | {
      readonly type: 'request';
      readonly connection: number;
      readonly exchange: number;
      readonly head: RequestHead;
    }
  | { readonly type: 'response'; readonly exchange: number; readonly head: ResponseHead }
  | {
      /** A whole body: transfer encoding taken off, content encoding still on. Absent where the body is empty. */
      readonly type: 'body';
      readonly exchange: number;
      readonly from: Side;
      readonly bytes: Buffer;
      /** False when the connection ended before the body did. */
      readonly complete: boolean;
    }
  | {
      readonly type: 'message';
      readonly exchange: number;
      readonly from: Side;
      readonly message: WebSocketMessage;
    }
  | {
      /** The first end of the connection; the other side's end that follows from it is not told. */
      readonly type: 'end';
      readonly connection: number;
      readonly by: Side;
    }
  | {
      /** Bytes that are neither HTTP/1.1 nor websocket: passed through all the same, not decoded any further. */
      readonly type: 'undecodable';
      readonly connection: number;
      readonly from: Side;
      readonly reason: string;
    };

export type Observe = (observation: Observation) => void;
