/**
 * Data that keeps itself fresh: asked for again while the page is looked at. When an answer does not come,
 * the last one stays and is marked as old, with the reason.
 */
import { createContext } from 'preact';
import { useContext, useEffect, useRef, useState } from 'preact/hooks';
import type { Api } from './api.ts';
import type { Session } from './session.ts';

export interface Tools {
  readonly api: Api;
  readonly session: Session;
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
  readonly refresh: () => void;
}

const EVERY_MS = 3_000;

/** After failures it asks less often. */
const MAX_PAUSE_MS = 30_000;

export function useLive<Data>(path: string | undefined, everyMs = EVERY_MS): Live<Data> {
  const { api } = useTools();
  const [state, setState] = useState<Pick<Live<Data>, 'data' | 'at' | 'error'> & { path: string | undefined }>({
    path,
    data: undefined,
    at: undefined,
    error: undefined,
  });
  const again = useRef<() => void>(() => undefined);
  useEffect(() => {
    if (path === undefined) return undefined;
    const gone = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let failures = 0;
    const ask = async () => {
      clearTimeout(timer);
      try {
        const data = await api.get<Data>(path, gone.signal);
        failures = 0;
        setState({ path, data, at: Date.now(), error: undefined });
      } catch (error) {
        if (gone.signal.aborted) return;
        failures += 1;
        const reason = error instanceof Error ? error.message : String(error);
        setState((last) => ({
          ...(last.path === path ? last : { path, data: undefined, at: undefined }),
          error: reason,
        }));
      }
      const pauseMs = Math.min(MAX_PAUSE_MS, everyMs * 2 ** failures);
      if (!gone.signal.aborted) timer = setTimeout(askWhenSeen, failures === 0 ? everyMs : pauseMs);
    };
    const askWhenSeen = () => {
      if (document.visibilityState === 'visible') void ask();
    };
    again.current = () => void ask();
    document.addEventListener('visibilitychange', askWhenSeen);
    void ask();
    return () => {
      gone.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', askWhenSeen);
    };
  }, [api, path, everyMs]);
  const isOfPath = state.path === path;
  return {
    data: isOfPath ? state.data : undefined,
    at: isOfPath ? state.at : undefined,
    error: isOfPath ? state.error : undefined,
    refresh: () => again.current(),
  };
}
