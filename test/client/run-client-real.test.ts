import { createServer } from 'node:http';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import type { ScriptedReply } from '../../src/backend/reply.ts';
import type { BackendObservation } from '../../src/backend/respond.ts';
import { installOfficialClient } from '../../src/client/install/install.ts';
import type { OfficialClient } from '../../src/client/install/installed.ts';
import { makeEnvironment } from '../../src/client/official/environment.ts';
import { runOfficialClient } from '../../src/client/official/run-client.ts';
import type { ConfigValue, Task } from '../../src/client/official/task.ts';
import { loadScenario } from '../../src/scenario/scenario.ts';
import { temporaryFolder } from './temporary-folder.ts';

// 0.118.0 needs no response from chatgpt.com for a turn, so these tests need no tap. A proxy that refuses everything
// keeps its other traffic off the internet.
let client: OfficialClient;
beforeAll(async () => {
  client = await installOfficialClient('0.118.0');
});

async function refusingProxy(): Promise<{ readonly url: string; readonly targets: string[] }> {
  const targets: string[] = [];
  const server = createServer().on('connect', (request, socket) => {
    targets.push(request.url ?? '');
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('not listening');
  return { url: `http://127.0.0.1:${address.port}`, targets };
}

async function exchange(
  script: readonly ScriptedReply[],
  config: Record<string, ConfigValue> = {},
  n = 0,
  task: Partial<Task> = {},
) {
  const events: BackendObservation[] = [];
  const backend = await startBackend({ script, onEvent: (event) => events.push(event) });
  onTestFinished(() => backend.close());
  const proxy = await refusingProxy();
  const result = await runOfficialClient({
    client,
    environment: await makeEnvironment(await temporaryFolder(), n),
    prompt: 'Reply with exactly: OK',
    config,
    ...task,
    connect: { kind: 'base-url', baseUrl: `${backend.origin}/backend-api/codex`, proxyUrl: proxy.url },
    timeoutMs: 60_000,
  });
  const frames = events.flatMap((event) => (event.type === 'create' ? [event] : []));
  return { result, backend, events, frames, proxy };
}

it('runs a turn of the official client against the simulated backend', async () => {
  const { result, backend, frames, proxy } = await exchange([{ reply: 'text', text: 'Quite so.' }]);

  expect(result).toMatchObject({ exitCode: 0, stdout: 'Quite so.\n' });
  expect(frames.map(({ transport, prewarm }) => [transport, prewarm])).toEqual([
    ['websocket', true],
    ['websocket', false],
  ]);
  expect(backend.used()).toBe(1);
  expect(proxy.targets).toContain('chatgpt.com:443');
});

it('makes the official client call a tool', async () => {
  const { result, backend, frames } = await exchange([
    {
      reply: 'tool_calls',
      style: 'auto',
      calls: [{ call: 'command', command: 'echo from the tool', output: 'from the tool\n' }],
    },
    { reply: 'text', text: 'Done.' },
  ]);

  expect(result).toMatchObject({ exitCode: 0, stdout: 'Done.\n' });
  expect(backend.used()).toBe(2);
  expect(JSON.parse(frames.at(-1)?.body ?? 'null')).toMatchObject({
    input: [{ type: 'function_call_output', output: expect.stringContaining('from the tool') }],
  });
});

it.each(['parallel-tool-calls', 'mcp-tool'])('plays %s with the official client', async (name) => {
  const { backend: script, client: task } = loadScenario(name);

  const { result, frames } = await exchange(script, {}, 0, task);

  expect(result).toMatchObject({ exitCode: 0, stdout: 'Done\n' });
  const { input }: { input: { output: string }[] } = JSON.parse(frames.at(-1)?.body ?? 'null');
  const expected = name === 'mcp-tool' ? ['four letters'] : ['alpha', 'beta'];
  expect(input.map(({ output }) => output)).toEqual(expected.map((text) => expect.stringContaining(text)));
});

it('shows the official client its own repository, and no surrounding one', async () => {
  const { client: task } = loadScenario('agents-md');
  // The client asks git in the background, and sends what it knows so far. The last request waits for a command.
  const { frames } = await exchange(
    [
      {
        reply: 'tool_calls',
        style: 'auto',
        calls: [{ call: 'command', command: 'sleep 3', output: '' }],
      },
      { reply: 'text', text: 'OK' },
    ],
    {},
    0,
    task,
  );

  const bodies = frames.map(({ body }) => body).join('\n');
  expect(bodies).toContain('Answer in one word.');
  const remotes = new Set(bodies.match(/[^"\\]*engine\.git/g));
  expect([...remotes]).toEqual(['https://git.example.com/ada/engine.git']);
});

it('passes an image and a schema to the official client', async () => {
  const image = await exchange([{ reply: 'text', text: 'Red' }], {}, 0, loadScenario('image-input').client);
  const schema = await exchange([{ reply: 'text', text: '{}' }], {}, 0, loadScenario('output-schema').client);

  expect(image.frames.at(-1)?.body).toContain('data:image/png;base64,iVBORw0KGgo');
  expect(JSON.parse(schema.frames.at(-1)?.body ?? 'null')).toMatchObject({
    text: { format: { schema: { required: ['number'] } } },
  });
});

it('sends the tier priority for service_tier="fast"', async () => {
  const { frames } = await exchange([{ reply: 'text', text: 'OK' }], { service_tier: 'fast' });

  expect(frames.map(({ body }) => JSON.parse(body))).toEqual([
    expect.objectContaining({ service_tier: 'priority' }),
    expect.objectContaining({ service_tier: 'priority' }),
  ]);
});

it('sends another account and another folder in another run', async () => {
  const [a, b] = [
    await exchange([{ reply: 'text', text: 'OK' }]),
    await exchange([{ reply: 'text', text: 'OK' }], {}, 1),
  ];

  const accounts = [a, b].map(({ events }) =>
    events
      .flatMap((event) => (event.type === 'upgrade' ? event.headers : []))
      .find(([name]) => name === 'chatgpt-account-id'),
  );
  expect(accounts[0]).toBeDefined();
  expect(accounts[0]).not.toEqual(accounts[1]);
  const folders = [a, b].map(({ frames }) => /<cwd>.*?<\/cwd>/.exec(frames.at(-1)?.body ?? '')?.[0]);
  expect(folders[0]).toBeDefined();
  expect(folders[0]).not.toEqual(folders[1]);
});

it('plays two turns in one process, and resumes the thread in another', async () => {
  const { frames, result, events } = await exchange(
    [
      { reply: 'text', text: 'one' },
      { reply: 'text', text: 'two' },
      { reply: 'text', text: 'three' },
    ],
    {},
    0,
    {
      steps: [
        { do: 'turn', prompt: 'First' },
        { do: 'turn', prompt: 'Second' },
        { do: 'resume' },
        { do: 'turn', prompt: 'Third' },
      ],
    },
  );

  const bodies = frames.map(({ body }) => JSON.parse(body));
  expect(result).toMatchObject({ exitCode: 0, stdout: 'three' });
  expect(events.filter(({ type }) => type === 'upgrade')).toHaveLength(2);
  expect(bodies.map(({ generate = true }) => generate)).toEqual([false, true, true, false, true]);
  expect(new Set(bodies.map(({ prompt_cache_key: key }) => key)).size).toBe(1);
  expect(bodies[2].input).toMatchObject([{ role: 'user', content: [{ text: 'Second' }] }]);
  expect(JSON.stringify(bodies[4].input)).toMatch(/First.*Second.*Third/);
});
