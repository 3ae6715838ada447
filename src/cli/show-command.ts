import type { CommandModule } from 'yargs';
import { ParityError } from '../errors.ts';
import { readGolden } from '../golden/file.ts';
import type { Golden } from '../golden/golden.ts';
import { fileNamed } from '../golden/select.ts';
import { eventsOf, exchangesOf } from '../golden/trace/exchanges.ts';
import { count } from '../report/count.ts';
import { eventsJson, eventsListing, goldenListing, type NumberedEvent, numbered } from '../report/listing.ts';
import { formatOf } from '../trace/line-file.ts';
import { readTrace } from '../trace/trace.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import type { Side } from '../wire/message.ts';
import { examples } from './help.ts';
import { type GoldensOption, goldenNames, goldensOption, inNumbers } from './options.ts';
import { progress } from './progress.ts';

type ShowOptions = GoldensOption & {
  file: string;
  exchange: string | undefined;
  message: string | undefined;
  from: Side | undefined;
  all: boolean | undefined;
  full: boolean;
  json: boolean;
};

export function showCommand(): CommandModule<object, ShowOptions> {
  return {
    command: 'show <file>',
    describe: 'Print a trace or golden in readable form',
    builder: (yargs) =>
      yargs
        .positional('file', { type: 'string', demandOption: true, describe: `A trace, or ${goldenNames}` })
        .option('exchange', {
          type: 'string',
          describe: 'Only these exchanges, with the numbers that findings have: 2, or 1,3-5',
        })
        .option('message', {
          type: 'string',
          describe:
            'Only these messages of the client, with the numbers that findings have; a body is number 1',
        })
        .option('from', {
          choices: ['client', 'backend'] as const,
          describe: 'The side whose messages are printed; the client with --message, otherwise both',
        })
        .option('all', {
          type: 'boolean',
          // A default would conflict with --exchange and --message.
          conflicts: ['exchange', 'message', 'from'],
          describe:
            'Everything, as recorded: requests that are not for a model too; exchanges have other numbers then',
        })
        .option('full', { type: 'boolean', default: false, describe: 'Do not fold long values' })
        .option('json', {
          type: 'boolean',
          default: false,
          describe: 'Print a JSON list of events, as docs/format.md describes them; nothing is folded',
        })
        .option('goldens', goldensOption())
        .epilogue(
          examples([
            ['Print what Codex 0.169.0 sends in fast mode', 'codex-parity show 0.169.0/fast'],
            [
              'Print the message that a finding at "exchange 1 › client message 2" is about',
              'codex-parity show 0.169.0/fast --exchange 1 --message 2 --full',
            ],
            ['Print it as JSON for another program', 'codex-parity show 0.169.0/fast --message 2 --json'],
          ]),
        ),
    handler: (options) => {
      const file = fileNamed(options.goldens, options.file);
      const { golden, events } = read(file, options.all ?? false);
      const shown = selected(file, events, options);
      process.stdout.write(`${text(golden, shown, options)}\n`);
    },
  };
}

function read(file: string, all: boolean): { golden?: Golden; events: NumberedEvent[] } {
  if (formatOf(file) === 'golden') {
    const golden = readGolden(file);
    return { golden, events: numbered(golden.exchanges.flatMap(eventsOf)) };
  }
  const { events } = readTrace(file, progress);
  if (all) return { events: numbered(events) };
  const exchanges = exchangesOf(events);
  const left = events.filter(({ type }) => type === 'request').length - exchanges.length;
  if (left > 0) progress(`${count(left, 'side request')} left out: --all prints everything`);
  if (exchanges.length === 0 && left === 0) progress(`${file} has no request`);
  return { events: numbered(exchanges.flatMap(eventsOf)) };
}

/** Throws ParityError if there is no such exchange or message. */
function selected(
  file: string,
  events: readonly NumberedEvent[],
  { exchange, message, from }: ShowOptions,
): NumberedEvent[] {
  const isShownExchange = inNumbers('exchange', exchange);
  const isShownMessage = inNumbers('message', message);
  const inExchanges = events.filter(({ event }) => isShownExchange(exchangeOf(event)));
  if (exchange !== undefined && inExchanges.length === 0) {
    const last = Math.max(0, ...events.map(({ event }) => exchangeOf(event)));
    throw new ParityError(
      'usage',
      `${file} has no exchange ${exchange}: ${last === 0 ? 'it has none' : `choose ${numbersTo(last)}`}`,
    );
  }
  if (message === undefined && from === undefined) return inExchanges;
  const side = from ?? 'client';
  const ofSide = inExchanges.filter(({ event }) => 'content' in event && event.from === side);
  const shown = ofSide.filter(({ number }) => isShownMessage(number));
  if (shown.length === 0) {
    const place = exchange === undefined ? file : `exchange ${exchange} of ${file}`;
    throw new ParityError(
      'usage',
      ofSide.length === 0 || message === undefined
        ? `${place} has no message of the ${side}`
        : `${place} has no message ${message} of the ${side}: choose ${numbersTo(ofSide.length)}`,
    );
  }
  return shown;
}

function numbersTo(last: number): string {
  return last === 1 ? '1' : `1 to ${last}`;
}

/** The exchange of an event. Exchanges of findings and goldens have connections with their number. */
function exchangeOf(event: TraceEvent): number {
  return 'exchange' in event ? event.exchange : event.connection;
}

function text(golden: Golden | undefined, events: readonly NumberedEvent[], options: ShowOptions): string {
  const { full, json, exchange, message, from } = options;
  if (json) return eventsJson(events);
  const expanded = new Set<Side>(full ? ['client', 'backend'] : [from ?? 'client']);
  const whole = exchange === undefined && message === undefined && from === undefined;
  if (golden !== undefined && whole) return goldenListing(golden, { full, expanded });
  return eventsListing(events, { full, expanded });
}
