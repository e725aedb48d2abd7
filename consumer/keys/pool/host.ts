/**
 * Holds one pool in memory for the object that owns it: what must not be forgotten is written before an answer
 * leaves, what is due next rings the alarm, and the lines are served after every change. An object that
 * was restarted goes on from what was written.
 */
import type { KeyAction } from '../../../shared/key/rpc.ts';
import type { ReleaseAnswer, ReleaseRequest } from '../../../shared/ledger/line.ts';
import { logError } from '../../../shared/log.ts';
import type { SnapshotRows } from '../../../shared/object/snapshot-rows.ts';
import { LOOK_MS, WaitingQuestions } from '../../../shared/object/waiting-questions.ts';
import { changeKey } from './change.ts';
import { type BriefKeyAnswer, type KeyRequest, lease, leaseAgain } from './lease.ts';
import { noteAsking, notePulled, type Pull, pull } from './line.ts';
import { type Member, Pool, setMembers } from './pool.ts';
import { type KeyNotice, type KeyRelease, release } from './release.ts';
import { restore, snapshot, USE_ID, useSnapshot } from './snapshot.ts';
import { type PooledKeyView, viewOf } from './view.ts';

/** What the host needs of its object. */
export interface PoolPlatform {
  readonly storage: Pick<SnapshotRows, 'read' | 'write' | 'writeOne'>;
  setAlarm(at: number): Promise<void>;
  /** @returns undefined where nobody keeps lines */
  releaseLine(request: ReleaseRequest): Promise<ReleaseAnswer | undefined>;
  /** Lets work go on after the event that began it. */
  inBackground(work: Promise<void>): void;
}

/** How late what may be late is written. */
const USE_WRITTEN_AFTER_MS = 5_000;

/** An alarm is moved only for so much: each costs a write. */
const WORTH_MOVING_MS = 200;

function isWorthHolding(answers: readonly BriefKeyAnswer[]): boolean {
  return answers.length > 0 && answers.every((answer) => typeof answer !== 'number' && answer.kind === 'start-at');
}

export class KeyPoolHost {
  readonly #platform: PoolPlatform;
  readonly #pool: Pool;
  readonly #waiting = new WaitingQuestions(isWorthHolding);
  #isLooking = false;
  #alarmAt = Infinity;

  constructor(name: string, platform: PoolPlatform) {
    this.#platform = platform;
    this.#pool = new Pool(name);
    restore(this.#pool, platform.storage.read(), Date.now());
  }

  /** A question that may wait, and would get nothing but a moment to ask again, is answered when it gets a key. */
  async lease(request: KeyRequest): Promise<readonly BriefKeyAnswer[]> {
    const answers = await this.#decide((now) => lease(this.#pool, request, now));
    if (request.mayWait !== true) return answers;
    const later = this.#waiting.hold(answers, (now) => leaseAgain(this.#pool, request, now), Date.now());
    this.#lookLater();
    return later;
  }

  release(request: KeyRelease): Promise<KeyNotice[]> {
    return this.#decide((now) => release(this.#pool, request, now));
  }

  describe(members: readonly Member[]): PooledKeyView[] {
    setMembers(this.#pool, members);
    return viewOf(this.#pool, Date.now());
  }

  /** @returns the key afterwards, or undefined when there is no such key */
  change(members: readonly Member[], number: number, action: KeyAction): Promise<PooledKeyView | undefined> {
    return this.#decide((now) => {
      setMembers(this.#pool, members);
      changeKey(this.#pool, number, action, now);
      this.#platform.storage.writeOne(useSnapshot(this.#pool));
      return viewOf(this.#pool, now).find((view) => view.number === number);
    });
  }

  async ring(): Promise<void> {
    this.#alarmAt = Infinity;
    const now = Date.now();
    this.#platform.storage.writeOne(useSnapshot(this.#pool));
    await this.#wakeAt(this.#serveLines(now), now);
  }

  /** The runtime holds the answer back until what was written is safe. */
  async #decide<Value>(decide: (now: number) => Value): Promise<Value> {
    const now = Date.now();
    const value = decide(now);
    this.#waiting.look(now);
    const nextAt = this.#serveLines(now);
    this.#platform.storage.write(snapshot(this.#pool, now), USE_ID);
    await this.#wakeAt(Math.min(nextAt, now + USE_WRITTEN_AFTER_MS), now);
    return value;
  }

  #lookLater(): void {
    if (this.#isLooking || this.#waiting.isEmpty) return;
    this.#isLooking = true;
    setTimeout(() => {
      this.#isLooking = false;
      this.#decide(() => undefined).catch((error: unknown) =>
        logError('keys.look-failed', { pool: this.#pool.name }, error),
      );
      this.#lookLater();
    }, LOOK_MS);
  }

  async #wakeAt(at: number, now: number): Promise<void> {
    if (at === Infinity || (this.#alarmAt > now && this.#alarmAt <= at + WORTH_MOVING_MS)) return;
    this.#alarmAt = at;
    await this.#platform.setAlarm(at);
  }

  /** @returns when to look again */
  #serveLines(now: number): number {
    const { pulls, nextAt } = pull(this.#pool, now);
    for (const each of pulls) {
      noteAsking(this.#pool, each, now);
      this.#platform.inBackground(this.#pull(each));
    }
    return nextAt;
  }

  async #pull(asked: Pull): Promise<void> {
    let answer: ReleaseAnswer | undefined;
    try {
      answer = await this.#platform.releaseLine(asked.request);
    } catch (error) {
      logError('line.unanswered', { line: asked.request.line, limit: asked.request.limit }, error);
    }
    const now = Date.now();
    notePulled(this.#pool, asked, answer, now);
    // Nobody else may come for a while: what stands in line is looked at again all the same.
    await this.#wakeAt(this.#serveLines(now), now);
  }
}
