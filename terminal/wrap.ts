/** Text as wide as a terminal at most, colours left aside: broken between words, further lines indented. */
import { stripVTControlCharacters } from 'node:util';

const WIDTH = 80;

/** @param hang spaces before every line but the first */
export function wrap(text: string, hang: number, width = WIDTH): string[] {
  const [, indent = '', rest = ''] = /^( *)(.*)$/s.exec(text) ?? [];
  const lines: string[] = [];
  let line = indent;
  for (const word of rest.split(' ')) {
    const isFirst = line.trim() === '';
    if (!isFirst && columns(line) + 1 + columns(word) > width) {
      lines.push(line);
      line = ' '.repeat(hang) + word;
    } else line += isFirst ? word : ` ${word}`;
  }
  return [...lines, line];
}

function columns(text: string): number {
  return stripVTControlCharacters(text).length;
}
