/** A sentence of the API's: its times relative to now like all others, and what is typed or logged (in backticks) as such. */
import { Time } from './time.tsx';

const MARKED = /(\d{4}-\d{2}-\d{2}T[\d:.]+Z|`[^`]+`)/;

export function Sentence({ text }: { text: string }) {
  // Every other part is a marked one.
  const parts = text.split(MARKED).map((part, at) => ({ part, isMarked: at % 2 === 1, place: at }));
  return (
    <>
      {parts.map(({ part, isMarked, place }) => {
        if (!isMarked) return part;
        return part.startsWith('`') ? <code key={place}>{part.slice(1, -1)}</code> : <Time key={place} at={part} />;
      })}
    </>
  );
}
