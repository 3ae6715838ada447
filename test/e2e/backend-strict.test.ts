import { expect, it } from 'vitest';
import { cli } from './cli.ts';

it('prints what the strict backend refuses, and why', async () => {
  let printed = '';
  let refusal: Promise<unknown> | undefined;
  const { exitCode } = await cli(['backend', '--strict', '--port', '0'], {
    onStderr: (text, child) => {
      printed += text;
      const origin = /listening on (\S+)/.exec(printed)?.[1];
      if (origin === undefined || refusal !== undefined) {
        if (/refused/.test(printed)) child.kill('SIGTERM');
        return;
      }
      const body = JSON.stringify({ model: 'm', instructions: '', input: [], store: true, stream: true });
      refusal = fetch(`${origin}/backend-api/codex/responses`, { method: 'POST', body }).then((response) =>
        response.json(),
      );
    },
  });
  expect(await refusal).toEqual({ detail: 'Store must be set to false' });
  expect(printed).toContain('refused over http: Store must be set to false');
  expect(exitCode).toBe(0);
});
