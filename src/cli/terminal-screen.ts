import { styleText } from 'node:util';
import { plainScreen, type Screen } from '../report/first-screen.ts';

/** Standard output: its width, and colours if it is a terminal and NO_COLOR is not set. */
export function terminalScreen(): Screen {
  const { stdout } = process;
  if (!stdout.isTTY) return plainScreen;
  return {
    width: stdout.columns || plainScreen.width,
    paint: (colour, text) => styleText(colour, text, { stream: stdout }),
  };
}
