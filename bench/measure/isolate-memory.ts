/** What one Worker's isolate of a local run holds in memory, as the inspector's protocol tells it. */

/** Bytes: the heap of JavaScript, array buffers and what the runtime keeps for its objects. */
interface HeapUsage {
  readonly usedSize: number;
  readonly embedderHeapUsedSize?: number;
  readonly backingStorageSize?: number;
}

export class IsolateMemory implements Disposable {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #calls = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
      if (id === undefined) return;
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    });
  }

  /** @param inspector of the local run @param worker the Worker's name */
  static async open(inspector: URL, worker: string): Promise<IsolateMemory> {
    const socket = new WebSocket(new URL(`/core:user:${worker}`, inspector));
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', () => reject(new Error(`${worker} cannot be inspected`)), { once: true });
    });
    const memory = new IsolateMemory(socket);
    await memory.#ask('HeapProfiler.enable');
    return memory;
  }

  /** Megabytes. @param isLive without what is garbage */
  async megabytes(isLive: boolean): Promise<number> {
    if (isLive) await this.#ask('HeapProfiler.collectGarbage');
    const usage = (await this.#ask('Runtime.getHeapUsage')) as HeapUsage;
    const { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 } = usage;
    return (usedSize + embedderHeapUsedSize + backingStorageSize) / 1024 ** 2;
  }

  /** The most megabytes that were held while `work` went on. */
  async most(work: Promise<unknown>, isLive: boolean): Promise<number> {
    let isOver = false;
    const over = work.finally(() => {
      isOver = true;
    });
    let most = 0;
    while (!isOver) {
      most = Math.max(most, await this.megabytes(isLive));
      await new Promise((resolve) => setTimeout(resolve, isLive ? 20 : 5));
    }
    await over;
    return most;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #ask(method: string): Promise<unknown> {
    const id = ++this.#calls;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, resolve);
    this.#socket.send(JSON.stringify({ id, method }));
    return promise;
  }
}
