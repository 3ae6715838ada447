import type { ContentDigest } from '../wire/content-collector.ts';
import type { HeaderList } from '../wire/headers.ts';
import type { ObservedMessage, RequestHead, ResponseHead, Side } from '../wire/message.ts';
import type {
  BodyFrames,
  ConnectionEvent,
  EndEvent,
  GoawayEvent,
  ResetEvent,
  UndecodableEvent,
} from './trace-event.ts';

/**
 * What a tap decodes from a copy of the bytes. Observations are not sealed: never store or print them. Connections and
 * exchanges (one request with its response) are numbered from 1 within a tap.
 */
export type Observation =
  | ConnectionEvent
  | {
      readonly type: 'request';
      readonly connection: number;
      readonly exchange: number;
      readonly head: RequestHead;
      /** Neither the order nor the capitalisation of the headers is known. */
      readonly unordered?: true;
    }
  | { readonly type: 'response'; readonly exchange: number; readonly head: ResponseHead }
  | ({
      /** A whole body without its transfer encoding, but with its content encoding. Not observed for empty bodies. */
      readonly type: 'body';
      readonly exchange: number;
      readonly from: Side;
      /** The target of the request. */
      readonly target: string;
      /** The headers of the message that the body belongs to. */
      readonly headers: HeaderList;
      /** Its digest if it is too long. */
      readonly bytes: Buffer | ContentDigest;
      /** False when the connection ended before the body did. */
      readonly complete: boolean;
    } & BodyFrames<HeaderList[number]>)
  | {
      readonly type: 'message';
      readonly exchange: number;
      readonly from: Side;
      readonly message: ObservedMessage;
    }
  | ResetEvent
  | GoawayEvent
  | EndEvent
  | UndecodableEvent;

export type Observe = (observation: Observation) => void;
