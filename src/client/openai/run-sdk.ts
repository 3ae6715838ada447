import { ParityError } from '../../errors.ts';
import type { Golden } from '../../golden/golden.ts';
import { type JsonObject, jsonString } from '../../wire/json.ts';
import { type ClientSettings, clientModel, officialSettings } from '../client-settings.ts';
import { chatConversation } from './chat-conversation.ts';
import { turnRequests } from './request-settings.ts';
import { responsesConversation } from './responses-conversation.ts';
import type { SdkInput, SdkResponse, SdkSurface } from './sdk-conversation.ts';

/** A program that uses OpenAI's SDK. */
export type SdkRun = {
  readonly surface: SdkSurface;
  /** Whether it streams responses. */
  readonly streams: boolean;
  /** Its nth request has the settings of this golden's nth request. */
  readonly golden: Golden;
  readonly prompts: readonly string[];
  /** The outputs of the tools, in the order of their calls. */
  readonly outputs: readonly string[];
  /** Default: those of the official client. */
  readonly client?: ClientSettings;
};

/**
 * Sends the requests of a program to a subject (its base URL), one after the other, until one fails. Resolves with the
 * responses.
 *
 * @throws ParityError `install-failed` when the SDK is not installed.
 */
export async function runSdk(
  run: SdkRun,
  subject: URL,
  signal: AbortSignal,
): Promise<readonly SdkResponse[]> {
  const { client: settings = officialSettings } = run;
  const { OpenAI } = await importSdk();
  const client = new OpenAI({
    apiKey: settings.key ?? 'any',
    defaultHeaders: Object.fromEntries(settings.headers),
    baseURL: subject.href.replace(/\/$/, ''),
    // A retry would hide the failure before it.
    maxRetries: 0,
    organization: null,
    project: null,
  });
  const start = run.surface === 'responses' ? responsesConversation : chatConversation;
  const conversation = start(client, run.streams, signal);
  const requests = turnRequests(run.golden).map((request) => withModel(request, settings));
  const responses: SdkResponse[] = [];
  const outputs = [...run.outputs];
  /** Sends a prompt, and the outputs of the tools that the model calls. Resolves to false after a failure. */
  const send = async (input: SdkInput): Promise<boolean> => {
    const request = requests[responses.length] ?? requests.at(-1);
    if (request === undefined) throw new ParityError('internal', 'the golden has no requests');
    const response = await conversation(input, request);
    responses.push(response);
    if (response.calls.length === 0) return response.failure === undefined;
    return send({ outputs: response.calls.map((call) => ({ call, text: outputs.shift() ?? '' })) });
  };
  for (const prompt of run.prompts) if (!(await send({ prompt }))) break;
  return responses;
}

function withModel({ members, ...request }: JsonObject, settings: ClientSettings): JsonObject {
  return {
    ...request,
    members: members.map(([key, value]) =>
      key === 'model' && value.kind === 'string'
        ? [key, jsonString(clientModel(settings, value.value))]
        : [key, value],
    ),
  };
}

/** Loads the SDK only when it is needed: it may be missing. */
async function importSdk(): Promise<typeof import('openai')> {
  try {
    return await import('openai');
  } catch (error) {
    throw new ParityError(
      'install-failed',
      'the drivers openai-responses and openai-chat need the SDK of OpenAI: run npm install openai',
      { cause: error },
    );
  }
}
