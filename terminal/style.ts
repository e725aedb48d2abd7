/** Colours for a person's terminal only: not in a pipe or a file, and not when NO_COLOR is set. */
import { stripVTControlCharacters, styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];

function styleFor(stream: NodeJS.WriteStream) {
  const enabled = stream.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  const paint = (format: Format) => (text: string) =>
    enabled ? styleText(format, text, { validateStream: false }) : text;
  return {
    bold: paint('bold'),
    dim: paint('dim'),
    red: paint('red'),
    green: paint('green'),
    yellow: paint('yellow'),
    blue: paint('blue'),
    cyan: paint('cyan'),
    magenta: paint('magenta'),
  };
}

/** For results, which go to standard output. */
export const style = styleFor(process.stdout);

/** For progress and errors, which go to standard error. */
export const errorStyle = styleFor(process.stderr);

/** Pads to `width` columns as the eye counts them: colours take no room. */
export function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stripVTControlCharacters(text).length));
}
