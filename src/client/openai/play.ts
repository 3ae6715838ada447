import { ParityError } from '../../errors.ts';
import type { Golden } from '../../golden/golden.ts';
import { talkByChat } from './chat.ts';
import { talkByResponses } from './responses.ts';
import { requestsOf } from './settings.ts';
import type { Answer, Said, Surface } from './surface.ts';

/** What a program says by the library of OpenAI. */
export type Play = {
  readonly surface: Surface;
  /** Whether the answers come event by event. */
  readonly streams: boolean;
  /** Its requests have the settings of this golden's, one after the other. */
  readonly golden: Golden;
  readonly prompts: readonly string[];
  /** What the tools give, in the order in which they are called. */
  readonly outputs: readonly string[];
};

export type Played = {
  readonly answers: readonly Answer[];
  /** Why it was not played to its end. */
  readonly failure: string | undefined;
};

/** Plays a client of a subject, whose base URL is given, with the library of OpenAI: one request after the other. */
export async function playOpenAi(play: Play, subject: URL, signal: AbortSignal): Promise<Played> {
  const { OpenAI } = await library();
  const client = new OpenAI({
    apiKey: 'any',
    baseURL: subject.href.replace(/\/$/, ''),
    // A second attempt would hide that the first one failed.
    maxRetries: 0,
    organization: null,
    project: null,
  });
  const talk = (play.surface === 'responses' ? talkByResponses : talkByChat)(client, play.streams, signal);
  const requests = requestsOf(play.golden);
  const answers: Answer[] = [];
  const outputs = [...play.outputs];
  const ask = async (said: Said): Promise<void> => {
    const settings = requests[answers.length] ?? requests.at(-1);
    if (settings === undefined) throw new ParityError('internal', 'the golden asks for nothing');
    const answer = await talk.ask(said, settings);
    answers.push(answer);
    if (answer.calls.length === 0) return;
    await ask({ outputs: answer.calls.map((call) => ({ call, text: outputs.shift() ?? '' })) });
  };
  try {
    for (const prompt of play.prompts) await ask({ prompt });
    return { answers, failure: undefined };
  } catch (error) {
    if (error instanceof ParityError || !(error instanceof Error)) throw error;
    return { answers, failure: `the library of OpenAI: ${error.message.replaceAll(/\s+/g, ' ')}` };
  }
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
