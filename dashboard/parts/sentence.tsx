/** A sentence of the API's, its times relative to now like all others. */
import { Time } from './time.tsx';

const EXACT_TIME = /(\d{4}-\d{2}-\d{2}T[\d:.]+Z)/;

export function Sentence({ text }: { text: string }) {
  return <>{text.split(EXACT_TIME).map((part) => (EXACT_TIME.test(part) ? <Time key={part} at={part} /> : part))}</>;
}
