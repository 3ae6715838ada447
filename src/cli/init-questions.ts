import { cancel, group, select, text } from '@clack/prompts';
import { officialPath } from '../check/subject.ts';
import { bundledName } from '../config/config.ts';
import { placeholders, type SubjectConfig } from '../config/subject-config.ts';
import { unknownPlaceholder, unknownText } from '../config/texts.ts';
import { ParityError } from '../errors.ts';

/** Asks in the terminal how to start a proxy. Throws ParityError `interrupted` if the user cancels. */
export async function askForSubject(
  defaultName: string,
  signal: AbortSignal,
): Promise<{ readonly name: string; readonly config: SubjectConfig }> {
  const required = (value: string | undefined) => (value?.trim() ? undefined : 'Please give a value.');
  const answers = await group(
    {
      name: () =>
        text({
          message: 'What is your proxy called?',
          defaultValue: defaultName,
          placeholder: defaultName,
          validate: (value) =>
            value?.trim() === bundledName
              ? 'That is the bundled proxy: please choose another name.'
              : undefined,
          signal,
        }),
      command: () =>
        text({
          message: 'Which command starts it? A check replaces {port}, {upstream} and {auth}.',
          placeholder: './my-proxy --port {port} --upstream {upstream} --auth {auth}',
          validate: (value) => required(value) ?? placeholderProblem(value),
          signal,
        }),
      env: () =>
        text({
          message: 'Which environment variables does it need?',
          placeholder: 'none, or such as UPSTREAM_URL={upstream} AUTH_FILE={auth}',
          defaultValue: '',
          validate: (value = '') =>
            wordsOf(value).every((word) => /^[^=]+=/.test(word))
              ? placeholderProblem(value)
              : 'Please write NAME=VALUE.',
          signal,
        }),
      path: () =>
        select({
          message: 'Where does it serve the Responses API?',
          options: [{ value: officialPath }, { value: '/v1' }],
          signal,
        }),
      upstream: () =>
        select<'http' | 'https'>({
          message: 'Can its upstream be set?',
          options: [
            { value: 'http', label: 'yes', hint: 'to {upstream} or {origin}' },
            { value: 'https', label: 'no', hint: 'it must use the HTTP proxy in HTTPS_PROXY' },
          ],
          signal,
        }),
      clientKey: () =>
        text({
          message: 'Which API key do its clients need?',
          placeholder: 'none',
          defaultValue: '',
          signal,
        }),
    },
    {
      onCancel: () => {
        cancel('Nothing was written.');
        throw new ParityError('interrupted', 'interrupted');
      },
    },
  );
  const { name, command, env, path, upstream, clientKey } = answers;
  const variables = wordsOf(env).map((word): [string, string] => {
    const at = word.indexOf('=');
    return [word.slice(0, at), word.slice(at + 1)];
  });
  return {
    name,
    config: {
      command: wordsOf(command),
      ...(variables.length === 0 ? {} : { env: Object.fromEntries(variables) }),
      ...(path === officialPath ? {} : { path }),
      ...(upstream === 'http' ? {} : { upstream }),
      ...(clientKey === '' ? {} : { clientKey }),
    },
  };
}

/** What is wrong with the placeholders of an answer. */
function placeholderProblem(answer = ''): string | undefined {
  const unknown = wordsOf(answer)
    .map((word) => unknownPlaceholder(word, placeholders))
    .find((name) => name !== undefined);
  return unknown === undefined ? undefined : `This has the ${unknownText(unknown, placeholders)}.`;
}

/** The words of a command line; words with spaces stand in quotes. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? '',
  );
}
