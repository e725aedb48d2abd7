/** Until when something is paused and why, for whoever looks at it; both may stay empty. */
import { textIn } from './task-filter.tsx';

export function PauseFields() {
  return (
    <div class="filters">
      <label>
        Resume by itself at
        <input name="until" type="datetime-local" />
      </label>
      <label class="wide">
        Why
        <input name="reason" maxLength={500} placeholder="the backend is being mended" />
      </label>
    </div>
  );
}

/** As the API takes it: times are those of whoever looks. */
export function pauseIn(fields: FormData): { readonly until?: string; readonly reason?: string } {
  const [until, reason] = [textIn(fields, 'until'), textIn(fields, 'reason')];
  return {
    ...(until !== undefined && { until: new Date(until).toISOString() }),
    ...(reason !== undefined && { reason }),
  };
}
