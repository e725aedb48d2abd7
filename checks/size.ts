/** How long files are, and rooms: a file is split by 400 lines. Pure. */

export const MAX_LINES = 400;

export interface SizedFile {
  readonly file: string;
  readonly lines: number;
}

export function sizeProblems(files: readonly SizedFile[]): string[] {
  return files
    .filter(({ lines }) => lines > MAX_LINES)
    .map(
      ({ file, lines }) => `${file} has ${lines} lines: split it by what it is about, at ${MAX_LINES} at the latest`,
    );
}

/** A room is a folder at the root. */
export function roomOf(file: string): string {
  return file.includes('/') ? `${file.slice(0, file.indexOf('/'))}/` : 'root';
}

export function linesByRoom(files: readonly SizedFile[]): Map<string, number> {
  const rooms = new Map<string, number>();
  for (const { file, lines } of files) rooms.set(roomOf(file), (rooms.get(roomOf(file)) ?? 0) + lines);
  return rooms;
}
