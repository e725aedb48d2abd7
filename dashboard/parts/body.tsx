/** A request's or a result's body: as it is where it is small, with its size and a download where it is large. */
import { useState } from 'preact/hooks';
import { useTools } from '../live.ts';
import type { Call } from '../operation.ts';
import { bytes } from '../words.ts';

/** A browser holds a download of this kind in memory. */
const MAX_DOWNLOAD_BYTES = 200_000_000;

/** Freed once the browser has surely begun to save it. */
const KEPT_MS = 60_000;

export function Shown({ value }: { value: unknown }) {
  return <pre tabIndex={0}>{typeof value === 'string' ? value : JSON.stringify(value, null, 2)}</pre>;
}

export function Stored({ call, size, type }: { call: Call; size: number; type: string | undefined }) {
  const { api } = useTools();
  const [error, setError] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const { address } = call;
  const file = address.split('/').slice(-2).join('-');
  const save = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setError(undefined);
    try {
      const url = URL.createObjectURL(await api.download(call));
      Object.assign(document.createElement('a'), { href: url, download: file }).click();
      setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <p class="row">
        <span>
          {bytes(size)}
          {type !== undefined && `, ${type}`}, kept in the bucket.
        </span>
        {size <= MAX_DOWNLOAD_BYTES && (
          <a href={address} onClick={(event) => void save(event)}>
            {isBusy ? 'Downloading …' : 'Download'}
          </a>
        )}
      </p>
      {size > MAX_DOWNLOAD_BYTES && (
        <p>
          Too large for this page:{' '}
          <code>
            curl -o {file} -H "authorization: Bearer $TOKEN" {location.origin + address}
          </code>
        </p>
      )}
      {error !== undefined && (
        <p class="notice bad" role="alert">
          {error}
        </p>
      )}
    </>
  );
}
