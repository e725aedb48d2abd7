/** Text as wide as a terminal at most: broken between words, further lines indented. */
const WIDTH = 80;

/** @param hang spaces before every line but the first */
export function wrap(text: string, hang: number, width = WIDTH): string[] {
  const [, indent = '', rest = ''] = /^( *)(.*)$/s.exec(text) ?? [];
  const lines: string[] = [];
  let line = indent;
  for (const word of rest.split(' ')) {
    const isFirst = line.trim() === '';
    if (!isFirst && line.length + 1 + word.length > width) {
      lines.push(line);
      line = ' '.repeat(hang) + word;
    } else line += isFirst ? word : ` ${word}`;
  }
  return [...lines, line];
}
