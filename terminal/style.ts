/** Colours for a person's terminal only: not in a pipe or a file, and not when NO_COLOR is set. */
import { stripVTControlCharacters, styleText } from 'node:util';

const enabled = process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';

function paint(format: Parameters<typeof styleText>[0]): (text: string) => string {
  return enabled ? (text) => styleText(format, text, { validateStream: false }) : (text) => text;
}

export const style = {
  bold: paint('bold'),
  dim: paint('dim'),
  red: paint('red'),
  green: paint('green'),
  yellow: paint('yellow'),
  blue: paint('blue'),
  cyan: paint('cyan'),
  magenta: paint('magenta'),
};

/** Pads to `width` columns as the eye counts them: colours take no room. */
export function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stripVTControlCharacters(text).length));
}
