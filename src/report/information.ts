import type { LiveInformation } from '../diff/live.ts';
import { count } from './count.ts';
import { terminalLine } from './escape.ts';
import { placeText } from './values.ts';

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
