/** Tables: aligned for the terminal, or Markdown for the documentation. */

/** The first column and those of words stand left, the others right. */
export function alignedTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)));
  const isWords = header.map((_, column) => column === 0 || rows.every((row) => !/^[–$]?\d/.test(row[column] ?? '')));
  const show = (row: readonly string[]) =>
    row
      .map((cell, column) => (isWords[column] ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [show(header), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(show)].join('\n');
}

export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const show = (row: readonly string[]) => `| ${row.join(' | ')} |`;
  const rule = header.map((_, column) => (column === 0 ? '---' : '---:'));
  return [show(header), `|${rule.join('|')}|`, ...rows.map(show)].join('\n');
}
