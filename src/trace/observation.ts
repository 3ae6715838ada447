import type { RequestHead, ResponseHead, Side, WebSocketMessage } from '../wire/message.ts';

/**
 * What a tap decodes from a copy of the bytes. Observations are not sealed: never store or print them. Connections and
 * exchanges (one request with its response) are numbered from 1 within a tap.
 */
export type Observation =
  | {
      readonly type: 'connection';
      readonly connection: number;
      /** The host that the client connects to, with the port unless it is the default of the scheme. */
      readonly authority: string;
      /** The ALPN protocols offered and the one chosen. Null on a plain connection. */
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
      /** A whole body without its transfer encoding, but with its content encoding. Not observed for empty bodies. */
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
      /** The first end of the connection. The end of the other side, which follows from it, is not observed. */
      readonly type: 'end';
      readonly connection: number;
      readonly by: Side;
    }
  | {
      /** Bytes that are neither HTTP/1.1 nor websocket. They are still passed through, but no longer decoded. */
      readonly type: 'undecodable';
      readonly connection: number;
      readonly from: Side;
      readonly reason: string;
    };

export type Observe = (observation: Observation) => void;
