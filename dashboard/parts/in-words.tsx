/** A small document in words, its times relative to now like all others. */
import { inWords } from '../words.ts';
import { Time } from './time.tsx';

const LONGEST = 200;
const EXACT_TIME = /(\d{4}-\d{2}-\d{2}T[\d:.]+Z)/;

export function InWords({ value }: { value: unknown }) {
  const parts = inWords(value).slice(0, LONGEST).split(EXACT_TIME);
  return (
    <span class="wraps">{parts.map((part) => (EXACT_TIME.test(part) ? <Time key={part} at={part} /> : part))}</span>
  );
}
