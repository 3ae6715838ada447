import { openWebSocket, post, receiveResponse, tunnelled } from './setup.ts';

export const session = '01a20000-0000-7000-8000-000000000001';
export const official = { originator: 'codex_exec', 'x-codex-turn-metadata': '{}', 'session-id': session };
export const hinted = { ...official, 'x-codex-routing-hint': 'model=m' };

/** Texts of which a header can carry none, or not as they are. */
export const texts = [
  'gpt‑5',
  '/home/中文',
  'a\nb: c',
  'a\r\n\r\nb',
  '\u0000',
  '\u007f',
  'é',
  '😀',
  '\ud800',
  ' ',
  '',
];

/** A request with a text at every place from which the golden's headers are filled. */
function requestWith(text: string) {
  const metadata = JSON.stringify({
    session_id: text,
    turn_id: text,
    sandbox: text,
    workspaces: { [text]: 1 },
  });
  const values = { session_id: text, thread_id: text, turn_id: text, 'x-codex-window-id': `${text}:0` };
  return {
    type: 'response.create',
    model: text,
    input: [{ type: 'message', role: 'user', content: text }],
    service_tier: 'fast',
    prompt_cache_key: text,
    client_metadata: { ...values, 'x-codex-installation-id': text, 'x-codex-turn-metadata': metadata },
    stream: true,
  };
}

/** Sends each text at every place, on every API and as an official client, and waits for the responses. */
export async function sendHostileTexts(proxy: string): Promise<void> {
  for (const text of texts) {
    const body = requestWith(text);
    for (const headers of [{}, official, hinted, tunnelled]) {
      await (await post(`${proxy}/v1/responses`, body, headers)).text();
      const socket = await openWebSocket(`${proxy}/v1/responses`, headers);
      const received = receiveResponse(socket).catch(() => []);
      socket.send(JSON.stringify(body));
      await received;
      socket.terminate();
    }
    const messages = [{ role: 'user', content: text }];
    await (await post(`${proxy}/v1/chat/completions`, { model: text, messages })).text();
  }
}

/** `Trailer` and `Upgrade` may not be in every response either. */
export const statusLines = '200 \u0001\u007f,000,099,100,101 x,103,204,304,400 \u0001,418 é,599,999'.split(
  ',',
);

/** A response of the backend with a hostile status line and headers. */
export function hostileResponse(line: string): string {
  return `HTTP/1.1 ${line}\r\nupgrade: x\r\nconnection: upgrade\r\ntrailer: a\r\nx-a: \u00e9\t\u0080\r\ncontent-length: 2\r\n\r\n{}`;
}
