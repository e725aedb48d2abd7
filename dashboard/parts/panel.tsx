/** A titled part of a page, and how it looks while its data is not there, or old. */
import type { ComponentChildren } from 'preact';
import type { Live } from '../live.ts';
import { Time } from './time.tsx';

export function Panel({
  title,
  children,
  aside,
}: {
  title: string;
  children: ComponentChildren;
  aside?: ComponentChildren;
}) {
  return (
    <section class="panel">
      <header>
        <h2>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

/** Shows data as it comes; says so when it is old, and why. That nobody answers is said once, by the frame. */
export function Fresh<Data>({ live, children }: { live: Live<Data>; children: (data: Data) => ComponentChildren }) {
  const { data, at, error, isOutage, refresh } = live;
  return (
    <>
      {error !== undefined && !isOutage && (
        <p class="notice bad" role="alert">
          {error}{' '}
          {at !== undefined && (
            <>
              Shown is what was known <Time at={at} />.
            </>
          )}{' '}
          <button type="button" class="plain" onClick={refresh}>
            Try again
          </button>
        </p>
      )}
      {isOutage && (
        <p class="quiet">
          {at === undefined ? (
            'Nothing is known yet.'
          ) : (
            <>
              As of <Time at={at} />.
            </>
          )}
        </p>
      )}
      {data !== undefined && <div class={error === undefined ? undefined : 'stale'}>{children(data)}</div>}
      {data === undefined && error === undefined && <p class="quiet">Loading …</p>}
    </>
  );
}

export function Figure({ label, value, hint }: { label: string; value: string; hint?: string | undefined }) {
  return (
    <div class="figure">
      <span class="label">{label}</span>
      <strong>{value}</strong>
      {hint !== undefined && <span class="quiet">{hint}</span>}
    </div>
  );
}

/** @param text what is shown, where it is not the status itself */
export function Status({ status, text = status }: { status: string; text?: string }) {
  return <span class={`status ${status}`}>{text}</span>;
}
