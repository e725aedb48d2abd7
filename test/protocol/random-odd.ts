/**
 * Something odd among others that are not (rule R21): a message that nobody can read or that a newer release wrote, a row that
 * it wrote, one element of a question that cannot be read, one answer that is missing or says nothing, a report of a call that
 * nobody lent anything. Chance of its own, so that the rest of a schedule is what its seed always made.
 */
import { newTaskMessage, wakeMessage } from '../../shared/message/task-message.ts';
import { storeOfTask } from '../../shared/task/id.ts';
import { MINUTE_MS } from './clock.ts';
import { Dice } from './dice.ts';
import type { House } from './house.ts';
import { rephrase, type Words } from './random-words.ts';

const UNREADABLE = [
  'hello',
  {},
  { v: 1, kind: 'wake', service: 'bound' },
  { v: 1, kind: 'outcome', run: 1 },
  { v: 9, kind: 'later' },
];

const NEWER_VERSION = 9;

type Elements = Record<string, unknown>[];

const STRANGER = 'nobody';

export class Oddities {
  readonly isUsed: boolean;
  readonly #house: House;
  readonly #dice: Dice;

  constructor(house: House, seed: number) {
    this.#house = house;
    this.#dice = new Dice(seed * 179_424_673);
    const dice = this.#dice;
    this.isUsed = dice.chance(0.2);
    if (!this.isUsed) return;
    const left = new Map<string, number>();
    rephrase(house, this.#words(), (what) => {
      const count = left.get(what) ?? dice.between(0, 2);
      const isOdd = count > 0 && dice.chance(0.5);
      left.set(what, isOdd ? count - 1 : count);
      return isOdd;
    });
    for (let count = dice.pick([0, 1, 2]); count > 0; count--) this.#post();
    if (dice.chance(0.4)) this.#submit();
    if (dice.chance(0.4)) this.#write();
  }

  #words(): Words {
    const dice = this.#dice;
    const oneOf = (elements: Elements, change: (element: Record<string, unknown>) => void) => {
      if (elements.length > 0) change(dice.pick(elements));
    };
    const drop = (elements: unknown[]) => void elements.splice(dice.between(0, elements.length - 1), 1);
    return {
      questions: {
        'ledger.claim': ({ claims }: { claims: Elements }) => {
          if (dice.chance(0.5)) oneOf(claims, (claim) => Object.assign(claim, { leaseMs: 1_234.5 }));
          else claims.push({});
        },
        'ledger.settle': (settlements: Elements) => {
          if (dice.chance(0.5))
            oneOf(settlements, (settlement) => Object.assign(settlement, { event: { type: 'eaten' } }));
          else settlements.push({});
        },
        'keys.release': ({ reports, worked }: { reports?: Elements; worked?: string[] }) => {
          reports?.unshift({ task: STRANGER, feedback: { kind: 'worked' } });
          worked?.unshift(STRANGER);
        },
        'registry.route': ({ calls }: { calls: Elements }) => calls.unshift({ id: STRANGER }),
        'registry.report': ({ reports }: { reports: Elements }) =>
          reports.unshift(
            { id: STRANGER, outcome: 'eaten' },
            { id: STRANGER, service: 'fetched', outcome: 'answered', durationMs: 1 },
          ),
      },
      answers: {
        'ledger.claim': drop,
        'ledger.settle': drop,
        'keys.lease': (answers: unknown[]) =>
          void answers.splice(dice.between(0, answers.length - 1), 1, { task: STRANGER, kind: 'eaten' }),
        'registry.route': ({ decisions }: { decisions: Elements }) =>
          oneOf(decisions, (decision) => Object.assign(decision, { is: 'eaten' })),
        'registry.services': ({ services }: { services: Record<string, unknown> }) => {
          services.odd = { baseUrl: 7 };
        },
      },
    };
  }

  /** Somebody takes it out after a while: until it is dead it would come for a hundred times. */
  #post(): void {
    const { clock, post } = this.#house;
    const dice = this.#dice;
    const at = clock.now + dice.between(0, 2 * MINUTE_MS);
    this.#house.plan(at, async () => {
      const letter = post.put(dice.chance(0.8) ? 'tasks' : 'dead', dice.pick(UNREADABLE));
      this.#house.plan(at + dice.between(MINUTE_MS, 20 * MINUTE_MS), async () => void post.letters.delete(letter));
    });
  }

  /** A producer of a newer release accepts a task, and consumers of that release come later. */
  #submit(): void {
    const { clock, post, promises } = this.#house;
    const dice = this.#dice;
    const at = clock.now + dice.between(0, MINUTE_MS);
    this.#house.plan(at, async () => {
      const task = await this.#house.mint({ service: dice.pick(['bound', 'fetched', 'keyed']) });
      promises.accepted.set(task.id, task);
      post.put('tasks', { ...newTaskMessage(task), v: NEWER_VERSION });
      this.#house.plan(at + dice.between(1_000, 20 * MINUTE_MS), async () => {
        for (const letter of post.letters) if (letter.taskId === task.id) letter.body = newTaskMessage(task);
      });
    });
  }

  /** A newer release wrote a row, and this one cannot read what the task asks for. */
  #write(): void {
    const { clock, post, promises } = this.#house;
    const dice = this.#dice;
    const at = clock.now + dice.between(0, 2 * MINUTE_MS);
    this.#house.plan(at, async () => {
      const tasks = [...promises.accepted.values()];
      if (tasks.length === 0) return;
      const { id, service } = dice.pick(tasks);
      await this.#setPath(id, ['of', 'another', 'kind']);
      post.put('tasks', wakeMessage(id, service));
      this.#house.plan(at + dice.between(1_000, 10 * MINUTE_MS), () => this.#setPath(id, '/work'));
    });
  }

  async #setPath(id: string, path: unknown): Promise<void> {
    const { clock, storage } = this.#house;
    const statement = storage.stores
      .get(storeOfTask(id))
      ?.prepare("UPDATE tasks SET request = json_set(request, '$.path', json(?2)) WHERE id = ?1")
      .bind(id, JSON.stringify(path));
    if (statement !== undefined) await clock.outside(statement.run());
    this.#house.writes += 1;
  }
}
