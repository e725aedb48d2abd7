/**
 * Keys that lead somewhere: `g` and a page's letter, `/` to find a task, `?` for the list of them. They rest while
 * somebody types or a dialog is open, with Ctrl, Alt or Meta, and where they are switched off (WCAG 2.1.4).
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import { useTools } from '../live.ts';
import { menuOf, seesPage } from '../pages.ts';
import { link } from '../route.ts';

const STORED = 'tasklane.shortcuts';
const OFF = 'off';

/** Longer after `g` another key is a key of its own. */
const SEQUENCE_MS = 1_500;

export function areShortcutsOn(): boolean {
  return localStorage.getItem(STORED) !== OFF;
}

export function switchShortcuts(areOn: boolean): void {
  if (areOn) localStorage.removeItem(STORED);
  else localStorage.setItem(STORED, OFF);
}

function isTyping({ target }: KeyboardEvent): boolean {
  return target instanceof Element && target.closest('input, select, textarea, dialog') !== null;
}

export function Shortcuts() {
  const { session } = useTools();
  const menu = menuOf(session);
  const [isOpen, setOpen] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
  }, [isOpen]);
  useEffect(() => {
    let goneAt = Number.NEGATIVE_INFINITY;
    const follow = (event: KeyboardEvent) => {
      const { key, ctrlKey, altKey, metaKey, timeStamp } = event;
      if (ctrlKey || altKey || metaKey || isTyping(event) || !areShortcutsOn()) return;
      const page = timeStamp - goneAt < SEQUENCE_MS ? menu.find((each) => each.key === key) : undefined;
      goneAt = page === undefined && key === 'g' ? timeStamp : Number.NEGATIVE_INFINITY;
      if (page !== undefined) location.hash = link(page.name);
      else if (key === '?') setOpen(true);
      else if (key === '/' && seesPage('tasks', session)) {
        event.preventDefault();
        const field = document.querySelector<HTMLInputElement>('input[name=id]');
        if (field === null) location.hash = link('tasks', undefined, { find: 'id' });
        else field.focus();
      }
    };
    addEventListener('keydown', follow);
    return () => removeEventListener('keydown', follow);
  }, [session]);
  if (!isOpen) return null;
  return (
    <dialog ref={dialog} aria-label="Keyboard shortcuts" onClose={() => setOpen(false)}>
      <h2>Keyboard shortcuts</h2>
      <ShortcutList />
      <button type="button" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  );
}

export function ShortcutList() {
  const { session } = useTools();
  return (
    <dl class="shortcuts">
      {menuOf(session).map(({ name, title, key }) => (
        <>
          <dt key={name}>
            <kbd>g</kbd> <kbd>{key}</kbd>
          </dt>
          <dd>{title}</dd>
        </>
      ))}
      {seesPage('tasks', session) && (
        <>
          <dt>
            <kbd>/</kbd>
          </dt>
          <dd>Find a task by its id</dd>
        </>
      )}
      <dt>
        <kbd>?</kbd>
      </dt>
      <dd>This list</dd>
      <dt>
        <kbd>Esc</kbd>
      </dt>
      <dd>Close a question and change nothing</dd>
    </dl>
  );
}
