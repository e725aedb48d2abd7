/** Waiting for an answer no longer than so long. What is late still comes, to nobody. */

export class TimeLimitError extends Error {
  override readonly name = 'TimeLimitError';
}

/** @throws TimeLimitError when the answer does not come in time */
export async function withinMs<Value>(answer: Promise<Value>, limitMs: number, who: string): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimeLimitError(`${who} did not answer within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}
