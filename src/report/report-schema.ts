import { z } from 'zod';
import { causeCodes } from '../diff/cause-code.ts';
import { comparisons } from '../diff/comparison.ts';
import { severities } from '../diff/severity.ts';
import { lifetimes } from '../golden/golden.ts';
import { kinds, type VariableKind } from '../golden/pattern/kinds.ts';
import { lineDepth, tryParseJson } from '../wire/json.ts';

const side = z.enum(['client', 'backend']);
const path = z
  .array(z.union([z.string(), z.int().nonnegative()]))
  .describe('Header name or JSON keys; a number is the index of a list item.');
const jsonText = z
  .string()
  .transform((text, { addIssue }) => {
    const parsed = tryParseJson(text, lineDepth);
    if (parsed !== undefined) return parsed.node;
    addIssue('is not JSON');
    return z.NEVER;
  })
  .describe('JSON text, spelled as it was sent.');
const spelledText = z.string().describe('JSON text, spelled as it was sent.');
const variable = z.string().describe('Name of a variable of the golden.');

const inExchange = {
  exchange: z.int().positive().describe('Counts from 1.'),
  path,
  mode: z
    .enum(['streamed', 'whole'])
    .exactOptional()
    .describe("How OpenAI's library read the responses, in a check that runs both ways."),
};
const place = z
  .union([
    z.strictObject({ ...inExchange, side, part: z.literal('body') }),
    z.strictObject({
      ...inExchange,
      side,
      part: z.literal('message'),
      number: z.int().positive().describe('Counts the messages of the side from 1.'),
      type: z.string().exactOptional(),
    }),
    z.strictObject({
      ...inExchange,
      side: z.literal('client'),
      part: z.enum(['exchange', 'handshake', 'connection']),
    }),
    z.strictObject({
      ...inExchange,
      side: z.literal('backend'),
      part: z.enum(['response', 'ending', 'result']),
    }),
  ])
  .meta({ id: 'place' });

const variableKind = z.enum(Object.keys(kinds) as VariableKind[]);
const value = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('json'), node: jsonText }),
    z.strictObject({ type: z.literal('request'), method: z.string(), target: z.string() }),
    z.strictObject({
      type: z.literal('close'),
      code: z.int().nullable(),
      reason: z.string().exactOptional(),
    }),
    z.strictObject({ type: z.literal('incomplete response') }),
    z.strictObject({ type: z.literal('connection end'), by: side }),
    z.strictObject({ type: z.literal('variable'), variable, variableKind }),
    z.strictObject({
      type: z.literal('members'),
      members: z.array(
        z.strictObject({ path, value: jsonText.exactOptional().describe('Absent: the member is missing.') }),
      ),
    }),
    z.strictObject({ type: z.literal('library response'), ending: z.string().exactOptional() }),
    z.strictObject({
      type: z.literal('library error'),
      error: jsonText.exactOptional(),
      message: z.string().exactOptional(),
    }),
    z.strictObject({ type: z.literal('own credentials') }),
    z.strictObject({ type: z.literal('whole scenario') }),
    z.strictObject({
      type: z.literal('subject behaviour'),
      requests: z.array(z.string()),
      failure: z.string().exactOptional(),
      refusal: z
        .strictObject({
          method: z.string(),
          status: z.int().exactOptional(),
          text: z.string(),
        })
        .exactOptional()
        .describe('How the subject refused the last request of its client.'),
    }),
  ])
  .meta({ id: 'value' });

const information = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('setting'),
    name: z.enum(['model', 'reasoning effort', 'front end']),
    expected: z.string().exactOptional(),
    actual: z.string().exactOptional(),
  }),
  z.strictObject({ type: z.literal('difference'), name: z.string(), places: z.array(place) }),
  z.strictObject({
    type: z.literal('further'),
    exchanges: z.int().nonnegative(),
    messages: z.int().nonnegative(),
  }),
]);

const severity = z
  .enum(severities)
  .describe(
    'breaks: backend or client treat the message differently; identity: it shows another client, version or device; ' +
      'shape: the receiver reads the same, but the official client does not send it so.',
  );
const causeCode = z.enum(causeCodes).meta({ id: 'code', description: 'Stable code of the cause.' });

const accepted = z
  .string()
  .exactOptional()
  .describe('Why it is accepted, from the baseline; it does not count.');

const finding = {
  comparison: z.enum(comparisons),
  also: z.array(z.enum(comparisons)).exactOptional().describe('Other comparisons that show the same.'),
  code: causeCode,
  severity,
  places: z.array(place).min(1),
  lifetime: z.enum(lifetimes).exactOptional().describe('The lifetime that a value violates.'),
  cause: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('nothing upstream'), subject: z.string(), url: z.string() }),
      z.strictObject({ type: z.literal('foreign credentials') }),
      z.strictObject({ type: z.literal('http') }),
      z.strictObject({ type: z.literal('rebuilt response') }),
      z.strictObject({ type: z.literal('other version'), version: z.string() }),
    ])
    .exactOptional(),
  accepted,
  words: z.strictObject({
    places: z.array(z.string()),
    expected: z.string().nullable(),
    actual: z.string().nullable(),
    why: z.string(),
  }),
};
const framing = z.union([z.string(), z.number(), z.boolean()]);

/** One finding, by its kind. */
const findings = z.union([
  z.strictObject({ ...finding, kind: z.literal('missing'), expected: value, instead: value.exactOptional() }),
  z.strictObject({ ...finding, kind: z.literal('added'), actual: value }),
  z.strictObject({ ...finding, kind: z.literal('renamed'), from: z.string(), to: z.string() }),
  z.strictObject({
    ...finding,
    kind: z.literal('recased'),
    names: z.array(z.strictObject({ from: z.string(), to: z.string() })).min(1),
  }),
  z.strictObject({
    ...finding,
    kind: z.literal('moved'),
    order: z
      .strictObject({
        moved: z.array(z.string()).min(1),
        expected: z.array(z.string()).min(2),
        actual: z.array(z.string()).min(2),
      })
      .describe('The names that moved and the names before them, in both orders.'),
  }),
  z.strictObject({
    ...finding,
    kind: z.literal('moved'),
    item: jsonText,
    from: z.int().nonnegative(),
    to: z.int().nonnegative(),
  }),
  z.strictObject({ ...finding, kind: z.enum(['changed', 'retyped']), expected: value, actual: value }),
  z.strictObject({
    ...finding,
    kind: z.literal('respelled'),
    spelling: z.enum(['value', 'key']),
    expected: spelledText,
    actual: spelledText,
  }),
  z.strictObject({
    ...finding,
    kind: z.literal('respelled'),
    spelling: z.literal('white space'),
    expected: z.boolean().describe('Whether there is white space between the tokens of JSON.'),
    actual: z.boolean(),
  }),
  z.strictObject({
    ...finding,
    kind: z.literal('respelled'),
    spelling: z.literal('event stream'),
    expected: z.string().describe('The lines of a server-sent event, and how they end.'),
    actual: z.string(),
  }),
  z.strictObject({
    ...finding,
    kind: z.literal('reframed'),
    aspect: z.enum([
      ...(['opcode', 'compressed', 'fragments', 'complete', 'finished'] as const),
      ...(['largestFrame', 'endsEmpty', 'trailers'] as const),
    ]),
    expected: framing,
    actual: framing,
  }),
  z.strictObject({
    ...finding,
    kind: z.literal('disagrees'),
    variable,
    value: z.string().describe('The value of the variable.'),
    valueAt: place.describe('The first place with the value of the variable.'),
    valueHere: z.string().describe('The value at the places of the finding.'),
    variableHere: variable.exactOptional().describe('The variable that this value belongs to.'),
  }),
  z.strictObject({
    ...finding,
    kind: z.literal('repeated'),
    variable,
    value: z.string(),
    otherVariable: variable,
  }),
]);

const verdict = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('ok') }),
    z.strictObject({ type: z.literal('findings') }),
    z.strictObject({ type: z.literal('not checked'), reason: z.string() }),
    z.strictObject({
      type: z.literal('failed'),
      reason: z.string().describe('What the subject did, with the last line that it printed.'),
      accepted,
    }),
  ])
  .meta({ id: 'verdict' });

const patterns = z.array(z.string()).exactOptional();
const baselineEntry = z.strictObject({
  line: z.int().positive().describe('Of the entry in the file.'),
  code: causeCode,
  name: z.string().exactOptional(),
  place: z.string().exactOptional(),
  scenario: patterns,
  except: patterns,
  codex: patterns,
  lane: patterns,
  driver: patterns,
  reason: z.string(),
  until: z.string().exactOptional(),
});

/** The JSON report, as it is read. docs/report.schema.json is written from it. */
export const reportSchema = z.strictObject({
  format: z.literal('codex-parity/report'),
  version: z.literal(3),
  parity: z.boolean().describe('Whether nothing was found, and no scenario failed.'),
  passed: z.boolean().describe('Whether nothing counts for the exit code.'),
  subject: z.string(),
  driver: z.string(),
  selection: z
    .strictObject({
      coverage: z
        .enum(['all', 'scenarios', 'part'])
        .describe('All of the selected versions and lane; all versions of the named scenarios; or fewer.'),
      shard: z.string().exactOptional().describe('The part of the selection that was played, such as 2/4.'),
    })
    .exactOptional(),
  gate: z
    .strictObject({
      failOn: severity.describe('The mildest severity that counts.'),
      baseline: z
        .strictObject({
          file: z.string(),
          entries: z.array(baselineEntry),
          problems: z.array(
            z.strictObject({
              line: z.int().positive(),
              type: z.enum(['unused', 'expired']),
              text: z.string(),
            }),
          ),
        })
        .exactOptional(),
    })
    .exactOptional()
    .describe('What counts for the exit code.'),
  causes: z
    .array(
      z.strictObject({
        code: causeCode,
        severity,
        name: z
          .string()
          .describe('The header, key or variable that it is about, as first found; may be empty.'),
        comparisons: z.array(z.enum(comparisons)).min(1),
        words: z
          .strictObject({
            title: z.string().describe('What is wrong.'),
            where: z.string().describe('In which scenarios.'),
            place: z.string().describe('The first place.'),
            expected: z.string().nullable(),
            actual: z.string().nullable(),
            effect: z.string().nullable().describe('What follows, in a few words.'),
            why: z.string(),
            fix: z.string().describe('How to fix it.'),
          })
          .describe('The same for people.'),
        cells: z
          .array(
            z.strictObject({
              codex: z.string(),
              lane: z.string(),
              scenario: z.string(),
              places: z.array(place).min(1),
              accepted,
            }),
          )
          .min(1)
          .describe('The scenarios that show it.'),
        accepted,
      }),
    )
    .describe('All findings, grouped by cause over all scenarios; the most harmful first.'),
  scenarios: z.array(
    z.strictObject({
      codex: z.string().describe('Version of the official client.'),
      lane: z.string(),
      scenario: z.string(),
      started: z.int().exactOptional().describe('When it was played, in milliseconds since 1970.'),
      duration: z.int().nonnegative().exactOptional().describe('Milliseconds.'),
      transport: z
        .enum(['websocket', 'http'])
        .exactOptional()
        .describe('How the official client speaks in it.'),
      verdict: verdict.describe('The worst of the scenario: failed, findings, ok, not checked.'),
      comparisons: z
        .strictObject({
          parity: verdict,
          'request neutrality': verdict.exactOptional(),
          'response neutrality': verdict.exactOptional(),
        })
        .describe('Where the subject is a client, only parity.'),
      findings: z.array(findings),
      client: z
        .strictObject({
          count: z.int().positive(),
          model: z.string().exactOptional().describe('The model that the client used, if it is another one.'),
        })
        .exactOptional()
        .describe('Differences between the golden and what the client itself sent. Parity leaves them out.'),
      information: z
        .array(information)
        .exactOptional()
        .describe('What a client that is checked has of its own. It is not judged.'),
      traces: z
        .array(
          z.strictObject({
            mode: z.enum(['streamed', 'whole']).exactOptional(),
            client: z
              .string()
              .exactOptional()
              .describe(
                'Path of the trace between client and subject; absent where the subject is a client.',
              ),
            upstream: z.string().describe('Path of the trace between subject and backend.'),
          }),
        )
        .exactOptional(),
      sender: z
        .strictObject({
          announces: z.string().exactOptional().describe('The version that its headers name.'),
          fits: z.array(z.string()).describe('The versions whose header names fit best.'),
          shownBy: z.array(z.string()).describe('Header names that only these versions have.'),
        })
        .exactOptional()
        .describe('Which version the subject looks like, where its requests differ.'),
      tls: z
        .array(z.string())
        .exactOptional()
        .describe('The TLS libraries that its connections look like, with --wire tls.'),
    }),
  ),
});
