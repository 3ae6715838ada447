import type { HeaderList } from '../../wire/headers.ts';

const hopByHop =
  /^(?:connection|upgrade|keep-alive|proxy-.*|te|trailer|transfer-encoding|sec-websocket-.*)$/i;

/** Removes the headers that belong to one connection, such as `connection` and `transfer-encoding`. */
export function endToEnd(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => !hopByHop.test(name));
}

/** The backend's headers for a client, without the body's length: the proxy writes that itself. */
export function headersForClient(headers: HeaderList): HeaderList {
  return endToEnd(headers).filter(([name]) => name.toLowerCase() !== 'content-length');
}
