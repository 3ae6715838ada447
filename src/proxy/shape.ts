import type { Golden } from '../golden/golden.ts';
import type { HeaderList } from '../wire/headers.ts';
import type { JsonNode } from '../wire/json.ts';
import { Conversation, type Pattern } from './conversation.ts';
import type { Identity } from './identity.ts';
import { keyOrder } from './key-order.ts';
import type { SignIn } from './sign-in.ts';

/** The shape of requests at one version, as its goldens show it: the names, order and case of all that is sent. */
export class Shape {
  readonly #pattern: Pattern;

  /** `golden` is the pattern that is filled; `others` of the same version tell where further keys stand. */
  constructor(golden: Golden, others: readonly Golden[]) {
    const [exchange] = golden.exchanges;
    if (exchange === undefined) throw new RangeError(`${golden.scenario}: a golden without an exchange`);
    const keys = [golden, ...others].flatMap(requestBodies).map(keysOf);
    this.#pattern = {
      golden,
      handshake: exchange.request,
      bodies: requestBodies(golden),
      order: keyOrder(keys),
    };
  }

  /** Whether the golden's client offers permessage-deflate. */
  get compresses(): boolean {
    const offer = this.#header('sec-websocket-extensions');
    return offer?.kind === 'string' && offer.value.startsWith('permessage-deflate');
  }

  /** Whether the handshake names the model, so that it can only be made once the model is known. */
  get hintsAtModel(): boolean {
    return this.#header('x-codex-routing-hint') !== undefined;
  }

  /** A conversation in this shape. `heard` is the client's own handshake. */
  conversation(identity: Identity, signIn: SignIn, heard: HeaderList): Conversation {
    return new Conversation(this.#pattern, identity, signIn, heard);
  }

  #header(name: string): JsonNode | undefined {
    return this.#pattern.handshake.headers.find(([other]) => other.toLowerCase() === name)?.[1];
  }
}

function requestBodies({ exchanges }: Golden): JsonNode[] {
  return exchanges
    .flatMap(({ steps }) => steps)
    .flatMap((step) =>
      step.type === 'message' && step.from === 'client' && step.content.kind === 'json'
        ? [step.content.json]
        : [],
    );
}

function keysOf(node: JsonNode): string[] {
  return node.kind === 'object' ? node.members.map(([key]) => key) : [];
}
