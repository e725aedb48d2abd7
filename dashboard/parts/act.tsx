/**
 * A button that changes something: asks once, names what will happen, and says what came of it. Whoever may
 * not change anything sees no button.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import { useTools } from '../live.ts';
import type { Session } from '../session.ts';

interface ActProps {
  readonly label: string;
  /** What will happen, as a sentence; of a form, by what stands in it. */
  readonly consequence: string | (() => string);
  /** Whether there is something to be asked: a form says what is wrong with it. */
  readonly isReady?: () => boolean;
  readonly run: () => Promise<unknown>;
  readonly onDone: () => void;
  /** Clients may act on their own tasks. */
  readonly forClients?: boolean;
}

/** Who may not act needs no column for it either. */
export function mayAct({ role }: Pick<Session, 'role'>, forClients = false): boolean {
  return role === 'admin' || (forClients && role === 'client');
}

export function Act({ label, consequence, isReady = () => true, run, onDone, forClients = false }: ActProps) {
  const { session } = useTools();
  const dialog = useRef<HTMLDialogElement>(null);
  const [isOpen, setOpen] = useState(false);
  const [error, setError] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
  }, [isOpen]);
  if (!mayAct(session, forClients)) return null;

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
      <button type="button" onClick={() => setOpen(isReady())}>
        {label}
      </button>
      {isOpen && (
        <dialog ref={dialog} aria-label={label} onClose={() => setOpen(false)}>
          <p>{typeof consequence === 'string' ? consequence : consequence()}</p>
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
