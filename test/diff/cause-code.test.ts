import { expect, it } from 'vitest';
import { requestOperators } from '../../scripts/mutations/request-operators.ts';
import { responseOperators } from '../../scripts/mutations/response-operators.ts';
import { causeCodes, codeOf } from '../../src/diff/cause-code.ts';
import type { Finding } from '../../src/diff/finding.ts';
import { neutralityFindings } from '../../src/diff/neutrality/neutrality.ts';
import { parityFindings } from '../../src/diff/parity.ts';
import { jsonValue, type Place } from '../../src/golden/match/mismatch.ts';
import { jsonString } from '../../src/wire/json.ts';
import { committedGolden } from '../golden/committed-goldens.ts';
import { fillGolden } from '../golden/fill-golden.ts';

/** The codes that fit each operator of scripts/mutations. */
const fitting: Readonly<Record<string, RegExp>> = {
  'drop a header or key': /-missing$|^shape\/compression$/,
  'add a header or key': /-added$/,
  'duplicate a header or key': /-added$|^shape\/compression$/,
  'rename a header or key': /-(?:renamed|missing|added)$|^metadata\/turn-changed$|^shape\/compression$/,
  'exchange dash and underscore in a name': /-renamed$|^shape\/compression$/,
  'change the case of a name': /^shape\/header-case$|-renamed$/,
  'swap two neighbouring headers or keys': /^shape\/(?:header|key)-order$/,
  'add a conversation_id header': /^session\/header-added$/,
  'change the request line': /^transport\/(?:method|target)$/,
  'escape a key': /^shape\/json-spelling$/,
  'spell a number differently': /^shape\/json-spelling$|-(?:changed|inconsistent)$/,
  'escape a string': /^shape\/json-spelling$/,
  'add white space to JSON': /^shape\/json-spacing$/,
  'change a constant': /-(?:changed|inconsistent)$|^content\/.*-added$|^shape\/(?:compression|header-case)$/,
  'change the form of a varying value': /-(?:changed|inconsistent)$/,
  'change the type of a value': /-(?:changed|missing|added)$/,
  'insert an item': /-added$/,
  'drop an item': /-missing$/,
  'repeat an item': /-added$/,
  'swap two items': /-moved$|-changed$/,
  'change one place of an identity': /-inconsistent$/,
  'swap two identifiers': /-(?:inconsistent|repeated|changed)$/,
  'use an identifier twice': /-(?:inconsistent|repeated|stale)$/,
  'change an identity from the last message on': /-inconsistent$/,
  'freeze the clock of a request': /-stale$/,
  'keep a value of the previous message': /-(?:stale|inconsistent)$/,
  'send the metadata of another message': /^metadata\/turn-changed$/,
  'change the tier': /^tier\//,
  'change previous_response_id': /^session\/chain-/,
  'drop a message': /^transport\/message-missing$/,
  'send a message twice': /^transport\/message-added$/,
  'send a message in two frames': /^shape\/fragments$/,
  'change the compression of a message': /^shape\/compression$/,
  'send a message as binary': /^transport\/opcode$/,
  'send a ping': /^transport\/message-added$/,
  'send a close message': /^transport\/message-added$/,
  'break off a body': /^transport\/body-cut-off$/,
  'drop a key of an event': /^response\/.*-missing$/,
  'add a key to an event': /^response\/.*-added$/,
  'rename a key of an event': /^response\/.*-(?:renamed|missing|added)$/,
  'change a value of an event': /^response\/.*-changed$/,
  'change the type of a value of an event': /^response\/.*-(?:changed|missing|added)$/,
  'escape a string of an event': /^shape\/json-spelling$/,
  'drop an item of an event': /^response\/member-missing$/,
  'swap two items of an event': /^response\/member-moved$/,
  'drop a header that clients act upon': /^response\/header-missing$/,
  'change a header that clients act upon': /^response\/header-changed$/,
  'change the status': /^response\/status$/,
  'drop an event': /^response\/(?:event-missing|cut-off)$/,
  'send an event twice': /^response\/event-added$/,
  'swap two events': /^response\/(?:event-moved|member-changed)$/,
  'write the data of an event with spaces': /^shape\/json-spacing$/,
  'add an id to an event': /^shape\/event-form$/,
  'end the lines of an event with CRLF': /^shape\/event-form$/,
  'rename a server-sent event': /^response\/member-changed$/,
  'end a stream without its last empty line': /^response\/event-unfinished$/,
  'break off the response': /^response\/(?:ending-added|cut-off)$/,
  'change a close code': /^response\/ending-changed$/,
};

const known = new Set<string>(causeCodes);

/** How many mutants of one operator and exchange are tried. */
const most = 6;

it.each(['0.169.0/chatgpt/fast', '0.118.0/chatgpt/http-fallback', '0.169.0/chatgpt/close-1011'])(
  'gives every finding about a mutant of %s a code that fits its operator',
  (name) => {
    const golden = committedGolden(`traces/${name}.golden.jsonl`);
    const [official, other] = [fillGolden(golden, 1), fillGolden(golden, 2)];
    const unfit: string[] = [];
    for (const [index, exchange] of official.entries()) {
      const session = official.toSpliced(index, 1);
      const operators = [
        ...requestOperators(exchange, other[index] ?? exchange, { session }).map((operator) => ({
          ...operator,
          isRequest: true,
        })),
        ...responseOperators(exchange).map((operator) => ({ ...operator, isRequest: false })),
      ];
      for (const { name: operator, mutants, isRequest } of operators) {
        const step = Math.ceil(mutants.length / most);
        for (const { mutate } of mutants.filter((_, at) => at % step === 0)) {
          const mutated = official.with(index, mutate());
          const findings = isRequest
            ? parityFindings(golden, mutated)
            : neutralityFindings(mutated, official);
          const codes = findings.map(codeOf);
          const isRight = (code: string) => fitting[operator]?.test(code) === true && known.has(code);
          unfit.push(...codes.filter((code) => !isRight(code)).map((code) => `${operator}: ${code}`));
        }
      }
    }
    expect(unfit).toEqual([]);
  },
);

const handshake = (...path: string[]): Place => ({ exchange: 1, side: 'client', part: 'handshake', path });
const message = (...path: (string | number)[]): Place => ({
  ...{ exchange: 1, side: 'client', part: 'message', number: 1, path },
});
const value = (text: string) => jsonValue(jsonString(text));
const added = (place: Place, text = 'x'): Finding => ({
  ...{ comparison: 'parity', kind: 'added', places: [place], actual: value(text) },
});
const changed = (place: Place, expected: string, actual: string): Finding => ({
  ...{ comparison: 'parity', kind: 'changed', places: [place], expected: value(expected) },
  actual: value(actual),
});

it.each<[Finding, string]>([
  [
    { ...added(handshake('session-id')), kind: 'renamed', from: 'session-id', to: 'session_id' },
    'session/header-renamed',
  ],
  [added(handshake('X-Forwarded-For')), 'shape/header-added'],
  [added(message('service_tier'), 'default'), 'tier/literal-default'],
  [changed(message('service_tier'), 'priority', 'default'), 'tier/literal-default'],
  [added(message('service_tier'), 'priority'), 'tier/field-added'],
  [added(message('instructions')), 'content/instructions-added'],
  [changed(message('instructions'), 'Be brief.', 'Rhyme. Be brief.'), 'content/instructions-added'],
  [changed(message('instructions'), 'Be brief.', 'Rhyme.'), 'content/instructions-changed'],
  [added(message('input', 0)), 'content/input-added'],
  [changed(message('input', 0, 'type'), 'message', 'messages'), 'content/input-changed'],
  [added(message('client_metadata', 'x')), 'metadata/client-added'],
  [added(message('client_metadata', 'x-codex-turn-metadata', 'x')), 'metadata/turn-added'],
  [added(handshake('x-codex-turn-metadata', 'session_id')), 'session/id-added'],
  [changed(handshake('method'), 'GET', 'POST'), 'transport/method'],
  [changed(handshake('Upgrade'), 'websocket', 'WebSocket'), 'shape/header-case'],
])('%# has the code %s', (finding, code) => {
  expect(codeOf(finding)).toBe(code);
});
