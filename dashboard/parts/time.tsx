/** A time relative to now that keeps counting, with the exact one on hover and for screen readers. */
import { useEffect, useState } from 'preact/hooks';
import { relative } from '../words.ts';

const TICK_MS = 1_000;

function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}

export function Time({ at }: { at: string | number | undefined }) {
  const now = useNow();
  if (at === undefined) return <span class="quiet">—</span>;
  const ms = typeof at === 'number' ? at : Date.parse(at);
  const exact = new Date(ms);
  return (
    <time dateTime={exact.toISOString()} title={exact.toISOString()}>
      {relative(ms, now)}
    </time>
  );
}
