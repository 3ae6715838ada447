import OpenAI from 'openai';
import { expect, it } from 'vitest';
import { proxyTo, responseEvents, sendAll, startTestBackend } from './setup.ts';

async function clientOf(message?: Parameters<typeof startTestBackend>[0]): Promise<OpenAI> {
  const backend = await startTestBackend(message);
  return new OpenAI({ apiKey: 'any', baseURL: `${await proxyTo(backend.url)}/v1`, maxRetries: 0 });
}

it("serves responses to OpenAI's library, whole and streamed", async () => {
  const client = await clientOf();
  const whole = await client.responses.create({ model: 'm', input: 'hello' });
  expect(whole.output_text).toBe('OK');
  const types: string[] = [];
  for await (const event of await client.responses.create({ model: 'm', input: 'hello', stream: true })) {
    types.push(event.type);
  }
  expect(types).toEqual(responseEvents('OK').map((event) => JSON.parse(event).type));
});

it("serves chat completions to OpenAI's library, whole and streamed", async () => {
  const client = await clientOf();
  const messages = [{ role: 'user' as const, content: 'hello' }];
  const whole = await client.chat.completions.create({ model: 'm', messages });
  expect(whole.choices[0]?.message.content).toBe('OK');
  let text = '';
  for await (const chunk of await client.chat.completions.create({ model: 'm', messages, stream: true })) {
    text += chunk.choices[0]?.delta.content ?? '';
  }
  expect(text).toBe('OK');
});

it("sends errors in the form that OpenAI's library expects", async () => {
  const error = { type: 'usage_limit_reached', code: 'usage_limit_reached', message: 'no more' };
  const frame = { type: 'error', status: 429, error, headers: { 'retry-after': '17' } };
  const client = await clientOf({ message: (socket) => sendAll(socket, [JSON.stringify(frame)]) });
  const failed = await client.responses.create({ model: 'm', input: 'hello' }).catch((reason) => reason);
  expect(failed).toBeInstanceOf(OpenAI.RateLimitError);
  expect(failed.code).toBe('usage_limit_reached');
  expect(failed.headers.get('retry-after')).toBe('17');
});

it("reports a stream that is cut off to OpenAI's library", async () => {
  const client = await clientOf({
    message: (socket) => socket.send(responseEvents('OK')[0] ?? '', () => socket.terminate()),
  });
  const stream = await client.responses.create({ model: 'm', input: 'hello', stream: true });
  const read = async () => {
    for await (const event of stream) expect(event.type).toBe('response.created');
  };
  await expect(read()).rejects.toThrow('cut off');
});

it("lists models to OpenAI's library", async () => {
  const client = await clientOf({
    post: (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"models":[{"slug":"gpt-5.4"}]}');
    },
  });
  const names: string[] = [];
  for await (const model of client.models.list()) names.push(model.id);
  expect(names).toEqual(['gpt-5.4']);
});
