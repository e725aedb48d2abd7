/**
 * Data that keeps itself fresh: asked for again while the page is looked at. When an answer does not come,
 * the last one stays and is marked as old, with the reason.
 */
import { createContext } from 'preact';
import { useContext, useEffect, useRef, useState } from 'preact/hooks';
import type { Operation } from '../producer/access.ts';
import { type Api, ApiError } from './api.ts';
import type { Call } from './operation.ts';
import type { Session } from './session.ts';

export interface Tools {
  readonly api: Api;
  readonly session: Session;
  readonly may: (operation: Operation) => boolean;
  /** Tells, for a moment and to screen readers, what came of an act. */
  readonly say: (text: string) => void;
}

export const ToolsContext = createContext<Tools | undefined>(undefined);

export function useTools(): Tools {
  const tools = useContext(ToolsContext);
  if (tools === undefined) throw new Error('used outside a session');
  return tools;
}

export interface Live<Data> {
  readonly data: Data | undefined;
  /** When `data` was true, Unix ms. */
  readonly at: number | undefined;
  /** Why there is nothing newer. */
  readonly error: string | undefined;
  /** Nobody answers, which the frame says once for all of the page. */
  readonly isOutage: boolean;
  readonly refresh: () => void;
}

const EVERY_MS = 3_000;

/** After failures it asks less often. */
const MAX_PAUSE_MS = 30_000;

/** Fired at the window when everything that is shown is to be asked for now. */
const AGAIN = 'tasklane:again';

export function askAgain(): void {
  dispatchEvent(new Event(AGAIN));
}

interface Known<Data> extends Omit<Live<Data>, 'refresh'> {
  readonly address: string;
}

export function useLive<Data>(call: Call, everyMs = EVERY_MS): Live<Data> {
  const { api } = useTools();
  const { address } = call;
  const nothing: Known<Data> = { address, data: undefined, at: undefined, error: undefined, isOutage: false };
  const [state, setState] = useState<Known<Data>>(nothing);
  const again = useRef<() => void>(() => undefined);
  useEffect(() => {
    let asking = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let failures = 0;
    const ask = async () => {
      // One question at a time: an older answer never takes the place of a newer one.
      clearTimeout(timer);
      asking.abort();
      const mine = new AbortController();
      asking = mine;
      let pauseMs = everyMs;
      try {
        const data = await api.get<Data>(call, mine.signal);
        if (mine.signal.aborted) return;
        failures = 0;
        setState({ address, data, at: Date.now(), error: undefined, isOutage: false });
      } catch (error) {
        if (mine.signal.aborted) return;
        failures += 1;
        const reason = error instanceof Error ? error.message : String(error);
        const { isOutage, retryAfterMs } = error instanceof ApiError ? error : { isOutage: false, retryAfterMs: 0 };
        setState((last) => ({ ...(last.address === address ? last : nothing), error: reason, isOutage }));
        pauseMs = Math.max(retryAfterMs, Math.min(MAX_PAUSE_MS, everyMs * 2 ** failures));
      }
      timer = setTimeout(askWhenSeen, pauseMs);
    };
    const askWhenSeen = () => {
      if (document.visibilityState === 'visible') void ask();
    };
    again.current = () => void ask();
    document.addEventListener('visibilitychange', askWhenSeen);
    addEventListener(AGAIN, askWhenSeen);
    void ask();
    return () => {
      asking.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', askWhenSeen);
      removeEventListener(AGAIN, askWhenSeen);
    };
    // The address says all of the call.
  }, [api, address, everyMs]);
  return { ...(state.address === address ? state : nothing), refresh: () => again.current() };
}
