import { expect, it } from 'vitest';
import {
  type BackendBehaviour,
  openWebSocket,
  post,
  proxyTo,
  readEvents,
  receiveResponse,
  responseEvents,
  startTestBackend,
} from './setup.ts';

/** A backend whose responses name the one that the request continued from, as the real one does. */
const named: BackendBehaviour = {
  message: (socket, { previous_response_id = null }) => {
    for (const text of responseEvents('OK')) {
      const { response, ...event } = JSON.parse(text);
      const stated = response && { response: { ...response, previous_response_id, metadata: {} } };
      socket.send(JSON.stringify({ ...event, ...stated }));
    }
  },
};

type Sent = { readonly id: string; readonly previous: unknown };

/** The ids of responses in events, or in a whole response. */
function namedIn(texts: readonly string[]): Sent[] {
  return texts.flatMap((text) => {
    const event = JSON.parse(text);
    const response = event.object === 'response' ? event : event.response;
    return response === undefined ? [] : [{ id: response.id, previous: response.previous_response_id }];
  });
}

const surfaces = [
  {
    surface: 'as a stream',
    open: async (proxy: string) => async (body: object) =>
      namedIn(await readEvents(await post(`${proxy}/v1/responses`, { ...body, stream: true }))),
  },
  {
    surface: 'as a whole',
    open: async (proxy: string) => async (body: object) =>
      namedIn([await (await post(`${proxy}/v1/responses`, body)).text()]),
  },
  {
    surface: 'over the websocket',
    open: async (proxy: string) => {
      const client = await openWebSocket(`${proxy}/v1/responses`);
      return async (body: object) => {
        client.send(JSON.stringify({ type: 'response.create', ...body }));
        return namedIn(await receiveResponse(client));
      };
    },
  },
];

it.each(surfaces)(
  'names the previous response of the client, not that of upstream: $surface',
  async ({ open }) => {
    const backend = await startTestBackend(named);
    const turn = await open(await proxyTo(backend.url));
    const first = await turn({ model: 'm', input: 'hello' });
    expect(new Set(first.map(({ previous }) => previous))).toEqual(new Set([null]));
    const id = first[0]?.id;
    const second = await turn({ model: 'm', input: 'again', previous_response_id: id });
    expect(new Set(second.map(({ previous }) => previous))).toEqual(new Set([id]));
    // The new connection gets the whole conversation, and continues from no response.
    for (const socket of backend.sockets.clients) socket.terminate();
    const last = second[0]?.id;
    const third = await turn({ model: 'm', input: 'once more', previous_response_id: last });
    expect(new Set(third.map(({ previous }) => previous))).toEqual(new Set([last]));
    expect(backend.turns().map(({ previous_response_id: previous }) => previous)).toEqual([
      'resp_warm',
      id,
      undefined,
    ]);
  },
);
