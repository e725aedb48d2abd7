/**
 * Which of the known names was probably meant. Pure. Beside slips of the pen people write another unit (`timeoutMs` for
 * `timeoutSeconds`), short forms (`rpm`, `reqPerMin`), a part of a name (`url`), and a right name one level too high.
 */
import { distance } from 'fastest-levenshtein';

/** Longer texts are no slips of the pen, and comparing them would cost. */
const MAX_NAME_CHARS = 64;

/** Units that names end with, one of which may be another. */
const UNIT = /(?:ms|msecs?|millis|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)$/;

/** Of a shorter one hardly anything is left without its unit. */
const MIN_STEM_CHARS = 3;

/**
 * @param deeper names below, as paths with dots
 * @returns the known name that is likely meant, or a path, or both
 */
export function closest(name: string, known: readonly string[], deeper: readonly string[] = []): string | undefined {
  const here = best(name, known, (candidate) => candidate);
  const below = best(name, deeper, lastOf);
  if (below?.letters === 0 && here !== undefined && here.letters > 0) return `${here.candidate} or ${below.candidate}`;
  return (here ?? below)?.candidate;
}

function best(name: string, known: readonly string[], nameOf: (candidate: string) => string) {
  const meant = plain(name);
  if (name.length > MAX_NAME_CHARS || meant.length < 2) return undefined;
  const scored = known.map((candidate) => ({ candidate, letters: lettersBetween(name, nameOf(candidate)) }));
  const [first] = scored.sort((a, b) => a.letters - b.letters);
  return first !== undefined && first.letters <= Math.max(1, Math.floor(meant.length / 3)) ? first : undefined;
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

function lettersBetween(name: string, candidate: string): number {
  const [meant, other] = [plain(name), plain(candidate)];
  if (meant === initialsOf(candidate)) return 0;
  const letters = distance(meant, other);
  return letters > 1 && (isBegun(meant, other) || isShort(name, candidate) || isInOtherUnit(name, candidate))
    ? 1
    : letters;
}

function isBegun(name: string, candidate: string): boolean {
  return name.length >= 4 && candidate.length >= 4 && (candidate.startsWith(name) || name.startsWith(candidate));
}

/** Of three words at least: fewer letters may be anything. */
function initialsOf(name: string): string | undefined {
  const words = wordsOf(name);
  return words.length < 3 ? undefined : words.map((word) => word[0]).join('');
}

/** Its words begun, or its last words. */
function isShort(name: string, candidate: string): boolean {
  const [own, others] = [wordsOf(name), wordsOf(candidate)];
  if (own.length < others.length) return plain(name).length > 2 && others.slice(-own.length).join() === own.join();
  return own.length === others.length && own.length > 1 && own.every((word, i) => others[i]?.startsWith(word));
}

function isInOtherUnit(name: string, candidate: string): boolean {
  const stem = plain(candidate).replace(UNIT, '');
  if (stem === plain(candidate) || stem.length < MIN_STEM_CHARS) return false;
  const meant = plain(name).replace(UNIT, '');
  return plain(name) === stem || meant === stem || meant === initialsOf(candidate)?.slice(0, -1);
}

function wordsOf(name: string): string[] {
  return name.match(/[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])/g)?.map((word) => word.toLowerCase()) ?? [];
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}
