/**
 * Holds one pool in memory for the object that owns it: what must not be forgotten is written before an answer
 * leaves, what is due next rings the alarm, and the lines are served after every change. An object that
 * was restarted goes on from what was written.
 */
import type { KeyAction } from '../../../shared/key/rpc.ts';
import type { KeySwitch } from '../../../shared/key/switch.ts';
import type { ReleaseAnswer, ReleaseRequest } from '../../../shared/ledger/line.ts';
import { logError } from '../../../shared/log.ts';
import type { SnapshotRows } from '../../../shared/object/snapshot-rows.ts';
import { LOOK_MS, WaitingQuestions } from '../../../shared/object/waiting-questions.ts';
import { withinMs } from '../../../shared/time-limit.ts';
import { changeKey } from './change.ts';
import { type BriefKeyAnswer, type KeyRequest, lease, leaseAgain } from './lease.ts';
import { noteAsking, notePulled, type Pull, pull } from './line.ts';
import { keyOf, type Member, Pool, setMembers } from './pool.ts';
import { type KeyNotice, type KeyRelease, release } from './release.ts';
import { restore, snapshot, USE_ID, useSnapshot } from './snapshot.ts';
import { type PooledKeyView, viewOf } from './view.ts';

/** What the host needs of its object. */
export interface PoolPlatform {
  readonly storage: Pick<SnapshotRows, 'read' | 'write' | 'writeOne'>;
  setAlarm(at: number): Promise<void>;
  /** @returns undefined where nobody keeps lines */
  releaseLine(request: ReleaseRequest): Promise<ReleaseAnswer | undefined>;
  /** What administrators said of these keys, on whichever shard. */
  readSwitches(fingerprints: string[]): Promise<KeySwitch[]>;
  keepSwitch(change: KeySwitch): Promise<void>;
  /** Lets work go on after the event that began it. */
  inBackground(work: Promise<void>): void;
}

/** How late what may be late is written. */
const USE_WRITTEN_AFTER_MS = 5_000;

/** Longer than the ledger takes, and shorter than a question for a key is waited for. */
const SWITCHES_WITHIN_MS = 3_000;

/** An alarm is moved only for so much: each costs a write. */
const WORTH_MOVING_MS = 200;

function isWorthHolding(answers: readonly BriefKeyAnswer[]): boolean {
  return answers.length > 0 && answers.every((answer) => typeof answer !== 'number' && answer.kind === 'start-at');
}

export class KeyPoolHost {
  readonly #platform: PoolPlatform;
  readonly #pool: Pool;
  /** Fingerprints of the keys of which the ledger was asked. */
  readonly #met: Set<string>;
  readonly #waiting = new WaitingQuestions(isWorthHolding);
  #isLooking = false;
  #alarmAt = Infinity;

  constructor(name: string, platform: PoolPlatform) {
    this.#platform = platform;
    this.#pool = new Pool(name);
    restore(this.#pool, platform.storage.read(), Date.now());
    this.#met = new Set(this.#pool.members.map(({ fingerprint }) => fingerprint));
  }

  /** A question that may wait, and would get nothing but a moment to ask again, is answered when it gets a key. */
  async lease(request: KeyRequest): Promise<readonly BriefKeyAnswer[]> {
    await this.#meet(request.members);
    const answers = await this.#decide((now) => lease(this.#pool, request, now));
    if (request.mayWait !== true) return answers;
    const later = this.#waiting.hold(answers, (now) => leaseAgain(this.#pool, request, now), Date.now());
    this.#lookLater();
    return later;
  }

  release(request: KeyRelease): Promise<KeyNotice[]> {
    return this.#decide((now) => release(this.#pool, request, now));
  }

  async describe(members: readonly Member[]): Promise<PooledKeyView[]> {
    await this.#meet(members);
    setMembers(this.#pool, members);
    return viewOf(this.#pool, Date.now());
  }

  /** @returns the key afterwards, or undefined when there is no such key */
  async change(members: readonly Member[], number: number, action: KeyAction): Promise<PooledKeyView | undefined> {
    await this.#meet(members);
    const view = await this.#decide((now) => {
      setMembers(this.#pool, members);
      changeKey(this.#pool, number, action, now);
      this.#platform.storage.writeOne(useSnapshot(this.#pool));
      return viewOf(this.#pool, now).find((view) => view.number === number);
    });
    const key = this.#pool.current.find((each) => each.number === number);
    if (key !== undefined && action !== 'reset') {
      await this.#platform.keepSwitch({ fingerprint: key.fingerprint, disabledAt: key.disabledAt ?? null });
    }
    return view;
  }

  /**
   * A key that comes here may have been switched off on another shard (decision 0096).
   * @throws when the ledger does not say: whoever asked asks again
   */
  async #meet(members: readonly Member[]): Promise<void> {
    const strangers = members.map(({ fingerprint }) => fingerprint).filter((each) => !this.#met.has(each));
    if (strangers.length === 0) return;
    const switches = await withinMs(this.#platform.readSwitches(strangers), SWITCHES_WITHIN_MS, 'the ledger');
    for (const { fingerprint, disabledAt } of switches) {
      // Met meanwhile, it may have been changed since.
      if (!this.#met.has(fingerprint)) keyOf(this.#pool, fingerprint).disabledAt = disabledAt ?? undefined;
    }
    for (const fingerprint of strangers) this.#met.add(fingerprint);
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
