import { ParityError } from '../../errors.ts';
import type { Golden } from '../../golden/golden.ts';
import { chatConversation } from './chat-conversation.ts';
import { turnRequests } from './request-settings.ts';
import { responsesConversation } from './responses-conversation.ts';
import type { SdkInput, SdkResponse, SdkSurface } from './sdk-conversation.ts';

/** What a program says by the library of OpenAI. */
export type SdkRun = {
  readonly surface: SdkSurface;
  /** Whether the answers come event by event. */
  readonly streams: boolean;
  /** Its requests have the settings of this golden's, one after the other. */
  readonly golden: Golden;
  readonly prompts: readonly string[];
  /** What the tools give, in the order in which they are called. */
  readonly outputs: readonly string[];
};

/**
 * Plays a client of a subject, whose base URL is given, with the library of OpenAI: one request after the other, until
 * one fails. Resolves to the answers.
 */
export async function runSdk(
  play: SdkRun,
  subject: URL,
  signal: AbortSignal,
): Promise<readonly SdkResponse[]> {
  const { OpenAI } = await library();
  const client = new OpenAI({
    apiKey: 'any',
    baseURL: subject.href.replace(/\/$/, ''),
    // A second attempt would hide that the first one failed.
    maxRetries: 0,
    organization: null,
    project: null,
  });
  const talk = (play.surface === 'responses' ? responsesConversation : chatConversation)(
    client,
    play.streams,
    signal,
  );
  const requests = turnRequests(play.golden);
  const answers: SdkResponse[] = [];
  const outputs = [...play.outputs];
  /** Resolves to whether all went well. */
  const ask = async (said: SdkInput): Promise<boolean> => {
    const settings = requests[answers.length] ?? requests.at(-1);
    if (settings === undefined) throw new ParityError('internal', 'the golden asks for nothing');
    const answer = await talk.ask(said, settings);
    answers.push(answer);
    if (answer.calls.length === 0) return answer.failure === undefined;
    return ask({ outputs: answer.calls.map((call) => ({ call, text: outputs.shift() ?? '' })) });
  };
  for (const prompt of play.prompts) if (!(await ask({ prompt }))) break;
  return answers;
}

/** Loads the library. Throws ParityError where it is not installed: no other command needs it. */
async function library(): Promise<typeof import('openai')> {
  try {
    return await import('openai');
  } catch (error) {
    throw new ParityError(
      'install-failed',
      'the drivers openai-responses and openai-chat need the library of OpenAI: run npm install openai',
      { cause: error },
    );
  }
}
