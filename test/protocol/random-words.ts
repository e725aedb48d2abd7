/** Questions and answers between Workers that come in other words than this release's. Whoever hears them answers (rule R21). */
import type { House } from './house.ts';

/** By effect; each changes a copy in place. */
export interface Words {
  readonly questions: Readonly<Record<string, (question: never) => void>>;
  readonly answers: Readonly<Record<string, (answer: never) => void>>;
}

/** Of the code's own, not of a fault. */
const isOfCode = (error: unknown) => error instanceof TypeError || (error as Error | undefined)?.name === 'ZodError';

/** @param isChanged asked of each question and answer that there are words for, by its name */
export function rephrase(house: House, { questions, answers }: Words, isChanged: (what: string) => boolean): void {
  const { faults, promises } = house;
  const { exchange } = faults;
  const said = <Value>(kind: string, changes: Words['questions'], effect: string, value: Value): Value => {
    const change = changes[effect] as ((value: Value) => void) | undefined;
    const what = `the ${kind} of ${effect}`;
    if (change === undefined || value === undefined || !isChanged(what)) return value;
    house.note(`other words: ${what}`);
    const copy = structuredClone(value);
    change(copy);
    return copy;
  };
  faults.exchange = async (effect, question, ask) => {
    try {
      const answer = await exchange(effect, said('question', questions, effect, question), ask);
      return said('answer', answers, effect, answer);
    } catch (error) {
      if (isOfCode(error)) promises.violations.push(`${effect} cannot be answered: ${String(error)} (R21)`);
      throw error;
    }
  };
}
