/** How long files are, and rooms: a file is split by 400 lines. Pure. */

export const MAX_LINES = 400;

export interface SizedFile {
  readonly file: string;
  readonly lines: number;
}

/** Longer files that stay whole, each for its reason. */
export interface LongFile {
  readonly file: string;
  readonly reason: string;
}

export function sizeProblems(files: readonly SizedFile[], kept: readonly LongFile[]): string[] {
  const long = files.filter(({ lines }) => lines > MAX_LINES);
  const isKept = (file: string) => kept.some((each) => each.file === file);
  return [
    ...long
      .filter(({ file }) => !isKept(file))
      .map(
        ({ file, lines }) => `${file} has ${lines} lines: split it by what it is about, at ${MAX_LINES} at the latest`,
      ),
    ...kept
      .filter(({ file }) => !long.some((each) => each.file === file))
      .map(({ file }) => `${file} is kept although it is long, and is not long`),
  ];
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
