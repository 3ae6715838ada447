import {
  type CauseCode,
  isSingleCode,
  partsOf,
  type SingleCode,
  type Topic,
  type Verb,
} from '../diff/cause-code.ts';

/** What a code means. This table is the source of reports, of `codex-parity explain`, and of docs/findings. */
export type CauseText = {
  /** What differs, as a title. */
  readonly title: string;
  /** What follows, in a few words. */
  readonly effect?: string;
  /** Why it matters, in a sentence; absent where only the kind of the difference is known. */
  readonly why?: string;
  /** How to fix it. */
  readonly fix: string;
};

type TopicText = {
  /** What the topic is, as a noun. */
  readonly noun: string;
  readonly effect?: string;
  readonly why?: string;
  readonly fix: string;
};

const passOn = 'Pass on what the client sent, byte for byte.';

const topicTexts: Readonly<Record<Topic, TopicText>> = {
  'session/header': {
    noun: 'header of the session, thread or window',
    effect: 'breaks sessions and cache affinity',
    why: 'a conversation has one identity, the same in headers, body and turn metadata',
    fix: 'Send the id of the session in session-id, thread-id and x-client-request-id, as the golden does, and keep it for the whole session.',
  },
  'session/cache-key': {
    noun: 'key of the prompt cache (prompt_cache_key)',
    effect: 'every cache hit is lost',
    why: 'it is the key of the prompt cache: unless it is the session id, every cache hit is lost',
    fix: 'Set prompt_cache_key to the id of the session in every request.',
  },
  'session/id': {
    noun: 'id of the session, thread or window in a body',
    effect: 'breaks sessions and cache affinity',
    why: 'a conversation has one identity, the same in headers, body and turn metadata',
    fix: 'Fill client_metadata and the turn metadata with the id that the headers have.',
  },
  'session/turn-id': {
    noun: 'id of the turn',
    effect: 'turns are mixed up',
    why: 'each turn has its own id, the same everywhere in the turn',
    fix: 'Make one id for each turn, and use it in client_metadata, turn metadata and input items. A prewarm has an empty one.',
  },
  'session/turn-state': {
    noun: 'turn state of the backend (x-codex-turn-state)',
    effect: 'the turn loses its state',
    why: 'the backend gives a turn a state, and expects it with every further request of the turn',
    fix: 'Send the state back that the first response of the turn had: in client_metadata over a websocket, as a header over HTTP.',
  },
  'session/chain': {
    noun: 'id of the response that a request continues',
    effect: 'the turn starts again',
    why: 'it chains the turn to what the backend already has',
    fix: 'Pass on previous_response_id, and the ids of responses that it comes from.',
  },
  'tier/hint': {
    noun: 'hint of model and tier (x-codex-routing-hint)',
    effect: 'priority may be ignored',
    why: 'the hint must name the model and tier of the request that it opens',
    fix: 'Send x-codex-routing-hint: model=MODEL, and ;tier=priority if the request has that service tier.',
  },
  'tier/field': {
    noun: 'service tier of a request (service_tier)',
    effect: 'the speed is another one',
    why: 'without the field the request is served at the standard tier, and the response does not show it',
    fix: 'Pass on service_tier in every request, the prewarm included, and never add it.',
  },
  'account/credentials': {
    noun: 'header of the account or its sign-in',
    effect: 'another account, or none',
    why: 'the backend finds the account by it: it refuses the request, or serves another account',
    fix: 'Send authorization and the headers of the account as the sign-in has them now: its token is renewed from time to time.',
  },
  'content/instructions': {
    noun: 'instructions',
    effect: 'the model reads other instructions',
    why: 'instructions belong to the client: a proxy must not inject, drop or rewrite them',
    fix: 'Pass instructions on unchanged. Do not add the member where the client leaves it out.',
  },
  'content/input': {
    noun: 'input',
    effect: 'the model reads another input',
    why: 'the input reached the backend changed: a proxy must not inject, drop or rewrite items',
    fix: 'Pass the items of the input on unchanged, in their order and with their ids.',
  },
  'content/tools': {
    noun: 'tools',
    effect: 'the model has other tools',
    why: 'the tools reached the backend changed: the client cannot run others, and needs all of its own',
    fix: 'Pass the tools on unchanged and in their order.',
  },
  'content/text': {
    noun: 'form of the output (text)',
    effect: 'the output has another form',
    why: 'it holds the verbosity and the schema of the output, which the client relies on',
    fix: 'Pass the member text on unchanged.',
  },
  'client/name': {
    noun: 'name or version of the client',
    effect: 'shows another client',
    why: 'it shows the backend which client sends the request',
    fix: 'Send user-agent, originator and version of the client that the golden is of.',
  },
  'client/feature': {
    noun: 'feature that the client asks for',
    effect: 'the backend uses other features',
    why: 'the backend turns features of the protocol on and off by it',
    fix: 'Send the headers of features as the golden has them.',
  },
  'client/installation': {
    noun: 'id of the installation',
    effect: 'shows another device',
    why: 'one installation has one id, in client_metadata and turn metadata',
    fix: 'Pass on the id of the client, or keep one of your own and use it everywhere.',
  },
  'request/model': {
    noun: 'model',
    effect: 'another model responds',
    why: 'the client chooses the model; the hint and the turn metadata name it too',
    fix: 'Pass on the model of the client.',
  },
  'request/reasoning': {
    noun: 'reasoning settings',
    effect: 'the model thinks otherwise',
    why: 'the client chooses the effort; the turn metadata names it too',
    fix: 'Pass on reasoning unchanged.',
  },
  'request/member': {
    noun: 'setting of a request',
    effect: 'changes the request',
    fix: 'Pass on the members of a request unchanged, and add none. The backend refuses members that it does not know.',
  },
  'metadata/turn': {
    noun: 'turn metadata (x-codex-turn-metadata)',
    effect: 'shows another client or turn',
    fix: 'Make new turn metadata for each request, with the members of the golden.',
  },
  'metadata/client': {
    noun: 'client metadata (client_metadata)',
    effect: 'shows another client',
    fix: 'Fill client_metadata with the members of the golden.',
  },
  'transport/exchange': {
    noun: 'whole request',
    effect: 'the backend gets another sequence of requests',
    fix: 'Send one upstream request for each request of the client, and retry as the golden does.',
  },
  'transport/message': {
    noun: 'whole message',
    effect: 'the backend gets other messages',
    fix: 'Pass on every message of the client once, the prewarm included, and send none of your own.',
  },
  'transport/header': {
    noun: 'header of the transport',
    effect: 'the backend may refuse the request',
    why: 'it decides how the backend reads the request',
    fix: 'Let the HTTP library write host, upgrade and sec-websocket headers, and pass on content-type.',
  },
  'response/event': {
    noun: 'event of a response',
    effect: 'the client receives another response',
    why: 'the response reached the client changed',
    fix: `${passOn} Do not filter, repeat or sort events, also those of unknown types.`,
  },
  'response/id': {
    noun: 'id in a response',
    effect: 'the client continues another response',
    why: 'the response reached the client changed: the client repeats the ids that it receives',
    fix: 'Pass on ids unchanged.',
  },
  'response/member': {
    noun: 'value in a response',
    effect: 'the client receives another response',
    why: 'the response reached the client changed',
    fix: passOn,
  },
  'response/header': {
    noun: 'response header that clients act upon',
    effect: 'limits, retries or state are lost',
    why: 'the response reached the client changed',
    fix: 'Pass on retry-after, x-codex-…, x-openai-… and the media type of a response.',
  },
  'response/body': {
    noun: 'body of a response',
    effect: 'the client receives another response',
    why: 'the response reached the client changed',
    fix: passOn,
  },
  'response/ending': {
    noun: 'end of a response',
    effect: 'the client retries otherwise',
    why: 'the response reached the client changed: how it ends decides what the client does next',
    fix: 'End the connection as the backend does: with its close code, or without a close message if it sends none.',
  },
  'response/result': {
    noun: "result of OpenAI's library",
    effect: 'the program sees another response',
    why: 'the response reached the client changed',
    fix: 'Send the response in the form of the API that the program uses.',
  },
  'shape/header': {
    noun: 'header',
    effect: 'visible to the backend',
    fix: 'Send the headers of the golden, and no others. HTTP libraries add headers by themselves: turn that off.',
  },
};

const singleTexts: Readonly<Record<SingleCode, CauseText>> = {
  'scenario/failed': {
    title: 'the subject died, hung or did not start',
    effect: 'the scenario ended there',
    why: 'the subject ended by itself, or did not respond in time; the reason ends with the last line that it printed',
    fix: 'Read what the subject printed. If it only needs more time, raise --timeout.',
  },
  'setup/nothing-upstream': {
    title: 'no model request reached the backend',
    effect: 'nothing could be checked',
    why: 'the upstream of the subject is not the simulated backend',
    fix: 'Point the upstream of the proxy to {upstream}.',
  },
  'setup/refused': {
    title: 'the subject refused its client',
    effect: 'the scenario ended there',
    why: "it rejects the official client's request by itself: its message and its log say why",
    fix: 'Let the client in: accept its path, model, key and compression. Below this cause, check says what the response usually means.',
  },
  'setup/stopped': {
    title: 'the client could not go on',
    effect: 'the scenario ended there',
    why: 'the subject ended the connection, or sent nothing that the client can continue from',
    fix: 'See what the subject printed, and which message was last.',
  },
  'tier/literal-default': {
    title: 'service_tier "default" sent',
    effect: 'the backend refuses it',
    why: 'the official client omits the field for the default tier, and the backend refuses the literal "default"',
    fix: 'Leave service_tier out unless the client sends it.',
  },
  'account/foreign': {
    title: 'credentials of another sign-in',
    effect: 'another account',
    why: 'it does not belong to the sign-in that the subject was given: the backend refuses it, or serves another account',
    fix: 'Use the sign-in of {auth}, or that of the client.',
  },
  'client/other-version': {
    title: 'the shape of another version',
    effect: 'shows another version',
    why: 'the subject says that it is this version, and sends what this version sends',
    fix: 'Take the headers from a golden of the version that is checked, or check against the version that the subject imitates.',
  },
  'transport/http': {
    title: 'HTTP instead of the websocket',
    effect: 'no prewarm, no chaining of requests',
    why: 'the official client opens a websocket for a session and sends its requests as messages; only after a refused upgrade it uses HTTP',
    fix: 'Open a websocket upstream: GET with Upgrade, then one message for each request.',
  },
  'transport/method': {
    title: 'another method',
    why: 'the official client sends another method',
    fix: 'Send the method of the client.',
  },
  'transport/target': {
    title: 'another path',
    why: 'the official client sends another path or query',
    fix: 'Append the path of the client to the upstream: /responses, without a query.',
  },
  'transport/http-version': {
    title: 'another HTTP version',
    why: 'the official client sends another version of HTTP',
    fix: 'Use the version of the golden upstream.',
  },
  'transport/alpn': {
    title: 'another ALPN offer',
    effect: 'shows another TLS client',
    why: 'the official client offers other protocols while it opens a TLS connection',
    fix: 'Offer the protocols that the golden has.',
  },
  'transport/opcode': {
    title: 'a message of the other type (text or binary)',
    why: 'the backend expects requests as text messages',
    fix: 'Send each message with the type that it had.',
  },
  'transport/connection-kept': {
    title: 'a connection kept that the client drops',
    effect: 'the backend continues the response',
    why: 'the client ends a turn by dropping the connection; until then the backend continues the response',
    fix: 'Close the upstream connection when the client closes its own.',
  },
  'transport/body-cut-off': {
    title: 'a request body that breaks off',
    why: 'the backend gets half a request',
    fix: 'Send the body to its end, with its length or a last chunk.',
  },
  'response/rebuilt': {
    title: 'the response is rebuilt instead of passed on',
    effect: 'the client receives another response',
    why: 'the subject reads the events of the backend and writes its own: what it does not know is lost',
    fix: passOn,
  },
  'response/cut-off': {
    title: 'the end of a response is lost',
    effect: 'the client retries, or waits',
    why: 'the client does not receive the last events: it retries the turn, or waits for them',
    fix: 'Pass on everything until the backend ends the response, also after an error.',
  },
  'response/status': {
    title: 'another status',
    effect: 'the client retries otherwise',
    why: 'the status decides what the client does next: retry, sign in again, or use HTTP',
    fix: 'Pass on the status of the backend.',
  },
  'response/event-unfinished': {
    title: 'an event without the empty line that ends it',
    effect: 'the client ignores the event',
    why: 'clients ignore an event that no empty line ends (WHATWG HTML, section 9.2.6)',
    fix: 'End every event with an empty line.',
  },
  'shape/header-order': {
    title: 'headers in another order',
    why: 'the official client sends another order',
    fix: 'Write the headers in the order of the golden. Maps and sorted lists lose it.',
  },
  'shape/header-case': {
    title: 'headers in another case',
    why: "the name has different capitalisation than the official client's",
    fix: 'Write names as the golden has them. Many libraries write Title-Case: turn that off.',
  },
  'shape/key-order': {
    title: 'JSON keys in another order',
    why: 'the official client sends another order',
    fix: 'Pass on the JSON text, or write objects in the order in which they were read.',
  },
  'shape/json-spelling': {
    title: 'JSON spelled differently',
    why: 'the value is the same, but the official client spells it differently',
    fix: 'Pass on the JSON text instead of parsing it and writing it again.',
  },
  'shape/json-spacing': {
    title: 'JSON with other white space',
    why: 'the value is the same, but the official client spells it differently',
    fix: 'Pass on the JSON text, or write it without white space.',
  },
  'shape/event-form': {
    title: 'events written with other lines',
    why: 'the value is the same, but the official client spells it differently',
    fix: 'Pass on the lines of an event: event, then data, each with a line feed.',
  },
  'shape/compression': {
    title: 'compression of the websocket',
    why: 'the message is the same, but the official client frames it differently',
    fix: 'Offer permessage-deflate; client_max_window_bits, and compress every frame when the backend accepts it.',
  },
  'shape/fragments': {
    title: 'messages split into frames',
    why: 'the message is the same, but the official client frames it differently',
    fix: 'Send each message in one frame.',
  },
  'wire/tls-versions': {
    title: 'other TLS versions',
    effect: 'shows another TLS library',
    why: 'the ClientHello offers other versions',
    fix: 'Use the library of the official client, rustls, or accept it in the baseline: no effect is known.',
  },
  'wire/tls-ciphers': {
    title: 'other TLS ciphers',
    effect: 'shows another TLS library',
    why: 'the ClientHello offers other ciphers, or in another order',
    fix: 'Use the library of the official client, rustls, or accept it in the baseline: no effect is known.',
  },
  'wire/tls-groups': {
    title: 'other TLS groups',
    effect: 'shows another TLS library',
    why: 'the ClientHello offers other groups for the key exchange, or in another order',
    fix: 'Use the library of the official client, rustls, or accept it in the baseline: no effect is known.',
  },
  'wire/tls-key-shares': {
    title: 'TLS keys for other groups',
    effect: 'shows another TLS library',
    why: 'the ClientHello sends keys for other groups',
    fix: 'Use the library of the official client, rustls, or accept it in the baseline: no effect is known.',
  },
  'wire/tls-signatures': {
    title: 'other TLS signature algorithms',
    effect: 'shows another TLS library',
    why: 'the ClientHello accepts other signatures, or in another order',
    fix: 'Use the library of the official client, rustls, or accept it in the baseline: no effect is known.',
  },
  'wire/tls-extensions': {
    title: 'other TLS extensions',
    effect: 'shows another TLS library',
    why: 'the ClientHello has other extensions',
    fix: 'Use the library of the official client, rustls, or accept it in the baseline: no effect is known.',
  },
  'wire/http2-settings': {
    title: 'other HTTP/2 settings',
    effect: 'shows another HTTP/2 library',
    why: 'the client sets other values on its HTTP/2 connection, or in another order',
    fix: 'Send the settings that the golden has, in its order.',
  },
  'wire/http2-window': {
    title: 'another HTTP/2 window',
    effect: 'shows another HTTP/2 library',
    why: 'the client makes the window of its HTTP/2 connection larger by another amount',
    fix: 'Send a WINDOW_UPDATE of the connection as the golden has it, before the first request.',
  },
  'wire/http2-pseudo-headers': {
    title: 'another order of HTTP/2 pseudo-headers',
    effect: 'shows another HTTP/2 library',
    why: 'the client sends :method, :scheme, :authority and :path in another order',
    fix: 'Send them in the order of the golden, or accept it in the baseline: no effect is known.',
  },
  'wire/http2-priority': {
    title: 'another HTTP/2 priority',
    effect: 'shows another HTTP/2 library',
    why: 'the client asks for another priority of its request',
    fix: 'Send requests without a priority, as the official client does.',
  },
  'wire/http2-frames': {
    title: 'another split of a body into HTTP/2 frames',
    effect: 'shows another HTTP/2 library',
    why: 'the body is the same, but the client sends it in other DATA frames',
    fix: 'Fill each DATA frame, and end the stream with the last one.',
  },
  'wire/http2-trailers': {
    title: 'other trailers after an HTTP/2 body',
    effect: 'shows another HTTP/2 library',
    why: 'the client sends other headers after the body of its request',
    fix: 'End the stream with the last DATA frame, as the official client does: it sends no trailers.',
  },
};

const verbTitles: Readonly<Record<Verb, (noun: string) => string>> = {
  missing: (noun) => `${noun} missing`,
  added: (noun) => `${noun} added`,
  renamed: (noun) => `${noun} renamed`,
  changed: (noun) => `${noun} changed`,
  moved: (noun) => `${noun} moved`,
  stale: (noun) => `${noun} stale`,
  inconsistent: (noun) => `${noun} not the same everywhere`,
  repeated: (noun) => `${noun} used for two things`,
};

/** Codes with texts of their own. */
const own: Readonly<
  Partial<Record<CauseCode, Omit<CauseText, 'title' | 'fix'> & { readonly fix?: string }>>
> = {
  'session/header-renamed': {
    why: 'the header is session_id up to 0.130 and session-id from 0.133 on; under another name the session is lost',
    fix: 'Send the name that the version has: session_id and thread_id up to 0.130, session-id and thread-id from 0.133 on.',
  },
  'tier/field-added': {
    effect: 'another speed, and another price',
    why: 'the client asked for the default tier, for which it omits the field',
  },
  'tier/field-changed': { why: 'the request is served at another tier, and the response does not show it' },
  'metadata/turn-changed': {
    why: 'each request has its own turn metadata: a copy from the handshake is stale',
  },
  'session/turn-state-added': {
    effect: 'a state that the backend did not give',
    fix: 'Send the turn state only if the backend gave one for this turn.',
  },
  'response/header-added': {
    effect: 'the client acts upon it',
    fix: 'Add no response headers that the client acts upon.',
  },
  'request/member-added': { effect: 'the backend may refuse it' },
};

/** What a code means. */
export function causeText(code: CauseCode): CauseText {
  if (isSingleCode(code)) return singleTexts[code];
  const { topic = 'shape/header', verb = 'changed' } = partsOf(code) ?? {};
  const { noun, ...text } = topicTexts[topic];
  return { title: verbTitles[verb](noun), ...text, ...own[code] };
}
