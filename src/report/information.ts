import type { LiveInformation } from '../diff/live.ts';
import { count } from './count.ts';
import { terminalLine } from './escape.ts';
import type { Report } from './report.ts';
import { placeText } from './values.ts';

/** What the clients under test have of their own, in one line over all scenarios; none if they have nothing. */
export function ownNotes({ scenarios }: Pick<Report, 'scenarios'>): string[] {
  const all = scenarios.flatMap(({ information = [] }) => information);
  const names = all.flatMap((one) => (one.type === 'difference' ? [one.name] : []));
  const settings = all.flatMap((one) =>
    one.type === 'setting' ? [`${one.name} ${one.actual ?? 'none'} (golden: ${one.expected ?? 'none'})`] : [],
  );
  const requests = all.reduce((sum, one) => sum + (one.type === 'further' ? one.exchanges : 0), 0);
  const own = [
    ...new Set([...names, ...settings]),
    ...(requests === 0 ? [] : [`${count(requests, 'request')} to another model`]),
  ];
  return own.length === 0 ? [] : [`its own, and not judged: ${own.join(', ')}`];
}

/** What a live session has of its own, in one line. */
export function informationText(where: string, information: LiveInformation): string {
  return terminalLine(`information: ${where} › ${textOf(information)}`);
}

function textOf(information: LiveInformation): string {
  switch (information.type) {
    case 'setting': {
      const { name, expected = 'none', actual = 'none' } = information;
      return `${name}: ${actual} (golden: ${expected})`;
    }
    case 'difference':
      return `${information.name} differs at ${information.places.map(placeText).join('; ')}`;
    case 'further': {
      const { exchanges, messages } = information;
      return `not compared: ${count(exchanges, 'further request')}, ${count(messages, 'further message')}`;
    }
  }
}
