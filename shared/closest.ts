/** Which of the known names was probably meant. Pure. */
import { distance } from 'fastest-levenshtein';

/** Longer texts are no slips of the pen, and comparing them would cost. */
const MAX_NAME_CHARS = 64;

/** The known name that is likely meant: the same but for case and separators, one begun, or a few letters away. */
export function closest(name: string, known: readonly string[]): string | undefined {
  const meant = plain(name);
  if (name.length > MAX_NAME_CHARS || meant.length < 2) return undefined;
  const scored = known.map((candidate) => ({ candidate, letters: lettersBetween(meant, plain(candidate)) }));
  const [best] = scored.sort((a, b) => a.letters - b.letters);
  return best !== undefined && best.letters <= Math.max(1, Math.floor(meant.length / 3)) ? best.candidate : undefined;
}

function lettersBetween(name: string, candidate: string): number {
  const begins =
    name.length >= 4 && candidate.length >= 4 && (candidate.startsWith(name) || name.startsWith(candidate));
  return begins ? Math.min(1, Math.abs(candidate.length - name.length)) : distance(name, candidate);
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}
