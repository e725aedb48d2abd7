/**
 * A button that changes something: asks once, names what will happen, and says what came of it. Whoever may
 * not change anything sees no button.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import { useTools } from '../live.ts';

interface ActProps {
  readonly label: string;
  /** What will happen, as a sentence. */
  readonly consequence: string;
  readonly run: () => Promise<unknown>;
  readonly onDone: () => void;
  /** Clients may act on their own tasks. */
  readonly forClients?: boolean;
}

export function Act({ label, consequence, run, onDone, forClients = false }: ActProps) {
  const { session } = useTools();
  const dialog = useRef<HTMLDialogElement>(null);
  const [isOpen, setOpen] = useState(false);
  const [error, setError] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
  }, [isOpen]);
  if (session.role !== 'admin' && !(forClients && session.role === 'client')) return null;

  const act = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await run();
      setOpen(false);
      onDone();
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        {label}
      </button>
      {isOpen && (
        <dialog ref={dialog} aria-label={label} onClose={() => setOpen(false)}>
          <p>{consequence}</p>
          {error !== undefined && (
            <p class="notice bad" role="alert">
              {error}
            </p>
          )}
          <div class="row">
            <button type="button" class="plain" onClick={() => setOpen(false)}>
              Keep things as they are
            </button>
            <button type="button" class="danger" disabled={isBusy} onClick={() => void act()}>
              {label}
            </button>
          </div>
        </dialog>
      )}
    </>
  );
}
