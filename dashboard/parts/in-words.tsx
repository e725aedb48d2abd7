/** A small document in words. */
import { inWords } from '../words.ts';
import { Sentence } from './sentence.tsx';

const LONGEST = 200;

export function InWords({ value }: { value: unknown }) {
  return (
    <span class="wraps">
      <Sentence text={inWords(value).slice(0, LONGEST)} />
    </span>
  );
}
