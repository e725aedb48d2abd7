/**
 * A button that changes something: asks once, names what will happen, and says what came of it. Whoever the access
 * table does not allow the operation sees no button.
 */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useTools } from '../live.ts';
import type { Call } from '../operation.ts';

interface ActProps<Answer> {
  readonly label: string;
  readonly call: Call;
  /** What is sent; by what stands in the dialog's own fields, where it has some. */
  readonly body?: unknown | ((fields: FormData) => unknown);
  /** Asked for in the dialog. */
  readonly fields?: ComponentChildren;
  /** What will happen, as a sentence; of a form, by what stands in it. */
  readonly consequence: string | (() => string);
  /** Whether there is something to be asked: a form says what is wrong with it. */
  readonly isReady?: () => boolean;
  readonly onDone: (answer: Answer) => void;
}

export function Act<Answer>(props: ActProps<Answer>) {
  const { label, call, body, fields, consequence, isReady = () => true, onDone } = props;
  const { api, may, say } = useTools();
  const dialog = useRef<HTMLDialogElement>(null);
  const [isOpen, setOpen] = useState(false);
  const [error, setError] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
  }, [isOpen]);
  if (!may(call.operation)) return null;

  // Closed by the element itself, so that the focus goes back to where it was.
  const close = () => dialog.current?.close();
  const act = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setError(undefined);
    try {
      const answer = await api.send<Answer>(call, typeof body === 'function' ? body(form) : body);
      close();
      say(`Done: ${label}.`);
      onDone(answer);
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
    } finally {
      setBusy(false);
    }
  };
  const open = () => {
    setError(undefined);
    setOpen(isReady());
  };
  return (
    <>
      <button type="button" onClick={open}>
        {label}
      </button>
      {isOpen && (
        <dialog
          ref={dialog}
          aria-label={label}
          // What came of an act is waited for.
          onCancel={(event) => isBusy && event.preventDefault()}
          onClose={() => setOpen(false)}
        >
          <form onSubmit={(event) => void act(event)}>
            <p>{typeof consequence === 'string' ? consequence : consequence()}</p>
            {fields}
            {error !== undefined && (
              <p class="notice bad" role="alert">
                {error}
              </p>
            )}
            <div class="row">
              <button type="button" class="plain" disabled={isBusy} onClick={close}>
                Keep things as they are
              </button>
              <button type="submit" class="danger" disabled={isBusy}>
                {label}
              </button>
            </div>
          </form>
        </dialog>
      )}
    </>
  );
}
