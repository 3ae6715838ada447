import { expect, it } from 'vitest';
import { runMutated, shaper } from './mutation.ts';
import { runInProcess } from './run-in-process.ts';

it.each(['openai-responses', 'openai-chat'])(
  'finds no difference in the bundled proxy with driver %s',
  async (driver) => {
    const scenarios = [
      'default',
      'fast',
      'flex',
      'tool-turn',
      'second-turn',
      'output-schema',
      'http-fallback',
      'close-1011',
      'failed-server-error',
      'limit-headers',
      'error-500',
      'token-refresh',
      'upgrade-403',
      'upgrade-500',
      'http-cut-off',
      'http-error-500',
      'http-usage-limit',
    ];
    const asked = ['--codex', '0.169.0', '--scenario', [...scenarios, 'review'].join(',')];
    const { exitCode, stdout } = await runInProcess(['check', '--verbose', '--driver', driver, ...asked]);
    expect(stdout).toContain(`driver ${driver}`);
    expect(stdout).toContain('parity: bundled sends what the official client sends');
    for (const scenario of scenarios) {
      const content = driver === 'openai-chat' ? 'not checked' : 'ok';
      expect(stdout).toMatch(new RegExp(`0\\.169\\.0 chatgpt {2}${scenario} +ok +${content} +ok`));
    }
    expect(stdout).toContain('not checked: 0.169.0 review: only the official client sends this request');
    expect(exitCode).toBe(0);
  },
);

it('finds no difference in a turn with tools, in any version, with driver openai-responses', async () => {
  const { exitCode, stdout } = await runInProcess([
    'check',
    '--verbose',
    '--driver',
    'openai-responses',
    '--scenario',
    'tool-turn',
  ]);
  expect(stdout).toMatch(/0\.118\.0 chatgpt {2}tool-turn +ok +ok +ok/);
  expect(exitCode).toBe(0);
});

it.each([
  {
    broken: 'does not set prompt_cache_key',
    file: shaper,
    change: (source: string) => source.replace(/^.*members\.set\('prompt_cache_key'.*$/m, ''),
    drivers: ['openai-responses', 'openai-chat'],
    finding:
      /streamed › exchange 1 › client message 1 › prompt_cache_key: missing\n(?: .*\n)* {2}also at {2}whole › /,
  },
  {
    broken: 'sends the literal default tier',
    file: shaper,
    change: (source: string) =>
      source.replace(
        "if (tier !== undefined) members.set('service_tier', JSON.stringify(tier))",
        "members.set('service_tier', JSON.stringify(tier ?? 'default'))",
      ),
    drivers: ['openai-responses', 'openai-chat'],
    finding:
      /service_tier: added\n(?: .*\n)*? {2}actual {3}"default"\n {2}why .*refuses the literal "default"/,
  },
  {
    broken: 'renames its session header',
    file: shaper,
    change: (source: string) =>
      source.replace(
        '([lower, { name, required, value }]): HeaderList => {',
        "$&\n      if (lower === 'session-id') return [['session_id', this.#identity.session]];",
      ),
    drivers: ['openai-responses', 'openai-chat'],
    finding: /handshake › session-id: renamed\n/,
  },
  {
    broken: "does not put the keys of a program in the golden's order",
    file: shaper,
    change: (source: string) =>
      source.replace(
        'isKnown ? known : keyOrder([[...known], request.map(([key]) => key)])',
        '[...members.keys()]',
      ),
    drivers: ['openai-responses', 'openai-chat'],
    finding:
      /client message 1: moved\n(?: .*\n)*? {2}also at .*client message 2\n(?: .*\n)*? {2}expected type, /,
  },
  {
    broken: 'does not chain the turn to the prewarm',
    file: 'proxy/sessions/websocket-transport.ts',
    change: (source: string) => source.replace('chainedMembers(request, lastResponseId)', 'request.members'),
    drivers: ['openai-responses', 'openai-chat'],
    finding: /client message 2 › previous_response_id: missing\n/,
  },
  {
    broken: 'sends the whole input in the prewarm',
    file: 'proxy/sessions/turn-request.ts',
    change: (source: string) => source.replace("if (key === 'input') return [[key, '[]']];", ''),
    drivers: ['openai-responses', 'openai-chat'],
    finding: /client message 1 › input: changed\n/,
  },
  {
    broken: 'drops an item of the input',
    file: 'proxy/sessions/turn-request.ts',
    change: (source: string) =>
      source.replace("kept.set('store', 'false');", "kept.set('input', '[' + input.at(-1) + ']');\n  $&"),
    drivers: ['openai-responses'],
    finding: /client body › input\.0: missing\n(?: .*\n)*? {2}why .*reached the backend changed/,
  },
  {
    broken: 'adds instructions of its own',
    file: 'proxy/sessions/turn-request.ts',
    change: (source: string) =>
      source.replace(
        "kept.delete('previous_response_id');",
        "$&\n  kept.set('instructions', '\"Be good\"');",
      ),
    drivers: ['openai-responses'],
    finding: /client body › instructions: added\n/,
  },
  {
    broken: 'drops an event',
    file: 'proxy/surfaces/responses-http.ts',
    change: (source: string) =>
      source.replace(
        'return stream.send(type, text);',
        "if (type === 'response.output_text.done') return undefined;\n        $&",
      ),
    drivers: ['openai-responses'],
    finding: /streamed › exchange 1 › backend message \d+: missing\n/,
  },
  {
    broken: 'changes a response with one body',
    file: 'proxy/http/send.ts',
    change: (source: string) => source.replaceAll('(text)', `(text.replaceAll('"OK"', '"KO"'))`),
    drivers: ['openai-responses', 'openai-chat'],
    finding: /whole › exchange 1 › library's result › text: changed\n {2}expected "OK"\n {2}actual {3}"KO"/,
  },
  {
    broken: 'changes the finish reason for chat clients',
    file: 'proxy/chat/chat-completion.ts',
    change: (source: string) => source.replace("? 'tool_calls' : 'stop'", "? 'stop' : 'length'"),
    drivers: ['openai-chat'],
    finding: /streamed › exchange 1 › library's result › ending: changed\n(?: .*\n)*? {2}expected "stop"/,
  },
  {
    broken: 'streams all tool calls at index 0',
    scenario: 'parallel-tool-calls',
    file: 'proxy/chat/chat-chunks.ts',
    change: (source: string) =>
      source
        .replace('this.#calls.set(outputIndex, this.#calls.size)', 'this.#calls.set(outputIndex, 0)')
        .replace("chatToolCall(item, '', this.#calls.size)", "chatToolCall(item, '', 0)"),
    drivers: ['openai-chat'],
    finding: /streamed › exchange 1 › library's result › tool_calls\.1: missing\n/,
  },
  {
    broken: 'does not stream the usage',
    file: 'proxy/chat/chat-chunks.ts',
    change: (source: string) =>
      source.replace('this.#includesUsage ? chatUsage(response) : undefined', 'undefined'),
    drivers: ['openai-chat'],
    finding: /streamed › exchange 1 › library's result › usage: missing\n/,
  },
  {
    broken: 'drops the last event of a failed response',
    scenario: 'failed-server-error',
    file: 'proxy/surfaces/responses-http.ts',
    change: (source: string) =>
      source.replace(
        'return stream.send(type, text);',
        "if (type === 'response.failed') return undefined;\n        $&",
      ),
    drivers: ['openai-responses'],
    finding: /streamed › exchange 1 › backend message 3: missing\n/,
  },
  {
    broken: 'drops the text before a response is cut off',
    scenario: 'close-1011',
    file: 'proxy/sessions/session.ts',
    change: (source: string) =>
      source.replace(
        "if (type.endsWith('.delta')) return onEvent(type, text);",
        "if (type.endsWith('.delta')) return undefined;",
      ),
    drivers: ['openai-responses', 'openai-chat'],
    finding:
      /streamed › exchange 1 › library's result › text: changed\n {2}expected "In the beginning"\n {2}actual {3}""/,
  },
  {
    broken: 'repeats a response that was cut off',
    scenario: 'close-1011',
    file: 'proxy/sessions/session.ts',
    change: (source: string) =>
      source.replace('if (signal.aborted || !delivery.discard())', 'if (signal.aborted)'),
    drivers: ['openai-responses', 'openai-chat'],
    finding: /backend message 1: added\n|library's result › text: changed\n {2}expected "OK"/,
  },
  {
    broken: 'repeats an HTTP stream that was cut off',
    scenario: 'http-cut-off',
    file: 'proxy/sessions/http-transport.ts',
    change: (source: string) =>
      source.replace('isRetriedPost(outcome) && discardEvents()', 'isRetriedPost(outcome)'),
    drivers: ['openai-responses'],
    finding: /streamed › exchange 1 › backend message \d: added\n/,
  },
  {
    broken: 'does not report that a response was cut off',
    scenario: 'close-1006',
    file: 'proxy/surfaces/responses-http.ts',
    change: (source: string) => source.replace("stream.send('error', error.event);", ''),
    drivers: ['openai-responses'],
    finding:
      /streamed › exchange 1 › library's result: changed\n {2}expected an error: the response broke off\n {2}actual {3}a response: in_progress\n/,
  },
  {
    broken: 'ends the chunks of a cut-off response with [DONE]',
    scenario: 'close-1006',
    file: 'proxy/surfaces/chat-completions.ts',
    change: (source: string) =>
      source.replace('stream.send(undefined, error.body);', "stream.send(undefined, '[DONE]');"),
    drivers: ['openai-chat'],
    finding: /streamed › exchange 1 › library's result: changed\n {2}expected an error/,
  },
  {
    broken: 'changes the status of an error',
    scenario: 'limit-headers',
    file: 'proxy/http/errors.ts',
    change: (source: string) => source.replace('.test(text) ? Number(text) :', '.test(text) ? 500 :'),
    drivers: ['openai-chat'],
    finding: /library's result › status: changed\n(?: .*\n)*? {2}expected 429\n {2}actual {3}500\n/,
  },
  {
    broken: 'drops retry-after',
    scenario: 'limit-headers',
    file: 'proxy/http/errors.ts',
    change: (source: string) => source.replace('retry-after(?:-ms)?|', ''),
    drivers: ['openai-responses'],
    finding: /library's result › headers\.retry-after: missing\n(?: .*\n)*? {2}expected "17"\n/,
  },
  {
    broken: 'drops retry-after over HTTP',
    scenario: 'http-usage-limit',
    file: 'proxy/http/upstream/send-upstream.ts',
    change: (source: string) => source.replace("!== 'content-length'", "!== 'retry-after'"),
    drivers: ['openai-chat'],
    finding: /library's result › headers\.retry-after: missing\n(?: .*\n)*? {2}expected "17"\n/,
  },
  {
    broken: 'changes the message of an error',
    scenario: 'usage-limit',
    file: 'proxy/http/errors.ts',
    change: (source: string) =>
      source.replace('return printJson(jsonObject({ error: this.error }))', "$&.replace('has been', 'was')"),
    drivers: ['openai-responses'],
    finding: /library's result › error\.message: changed\n/,
  },
  {
    broken: 'drops the error of a failed response',
    scenario: 'http-context-length',
    file: 'proxy/http/errors.ts',
    change: (source: string) =>
      source.replace("withUsualMembers(member(response, 'error'))", 'withUsualMembers(undefined)'),
    drivers: ['openai-chat'],
    finding: /exchange 1 › library's result › error\.message: changed\n/,
  },
  {
    broken: 'retries an error that stays',
    scenario: 'http-bad-request',
    file: 'proxy/sessions/retry-policy.ts',
    change: (source: string) => source.replace('return status >= 500 ||', 'return status >= 400 ||'),
    drivers: ['openai-responses', 'openai-chat'],
    finding: /streamed › exchange \d › request: added\n/,
  },
])('reports the place if a proxy $broken', async ({ file, change, drivers, finding, scenario }) => {
  const check = ['check', '--verbose', '--codex', '0.169.0', '--scenario', scenario ?? 'default', '--driver'];
  const results = await runMutated(
    { file, change },
    drivers.map((driver) => [...check, driver]),
  );
  expect(results).toHaveLength(drivers.length);
  for (const { exitCode, stdout } of results) {
    expect(stdout).toMatch(finding);
    expect(exitCode).toBe(1);
  }
});

it.each([
  { args: ['--scenario', 'review'], message: /can be checked: only the official client sends this request/ },
  { args: ['--lane', 'provider'], message: /lane provider configures the official client/ },
])('refuses $args with driver openai-chat, in one line', async ({ args, message }) => {
  const { exitCode, stderr } = await runInProcess([
    'check',
    '--verbose',
    '--driver',
    'openai-chat',
    '--codex',
    '0.169.0',
    ...args,
  ]);
  expect(stderr).toMatch(message);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(exitCode).toBe(2);
});

it('reports that the openai package is not installed', async () => {
  const mutation = {
    file: 'client/openai/run-sdk.ts',
    change: (source: string) =>
      source.replace("await import('openai')", "await import('openai-that-is-not-there')"),
  };
  const args = [
    'check',
    '--verbose',
    '--driver',
    'openai-chat',
    '--codex',
    '0.169.0',
    '--scenario',
    'default',
  ];
  const [result] = await runMutated(mutation, [args]);
  expect(result?.stderr).toContain('need the SDK of OpenAI: run npm install openai');
  expect(result?.exitCode).toBe(2);
});
