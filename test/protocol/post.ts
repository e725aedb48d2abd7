/**
 * The queues as the platform keeps them: at-least-once, delayed, counted, dead-lettered after a
 * hundred retries, and deleted after a hundred more. Nothing is delivered by itself; whoever drives
 * the world takes letters out.
 */
import type { TaskMessage } from '../../shared/message/task-message.ts';

/** What Cloudflare Queues accept (PLATFORM.md); Tasklane stays at 12 hours of delay. */
const MAX_RETRIES = 100;
const MAX_DELAY_SECONDS = 12 * 3600;

/** `tasks` is the queue of shard 0, `tasks-1` that of shard 1. */
export type QueueName = 'tasks' | 'tasks-1' | 'dead';

export function shardOf(queue: QueueName): number {
  return Number(queue === 'tasks-1');
}

type LetterDisposition = { readonly kind: 'ack' } | { readonly kind: 'retry'; readonly delaySeconds: number };

export interface Letter {
  readonly serial: number;
  readonly queue: QueueName;
  body: unknown;
  readonly taskId: string;
  readonly sentAt: number;
  visibleAt: number;
  /** Deliveries so far. */
  attempts: number;
  /** In the hands of a consumer. */
  held: boolean;
  disposition: LetterDisposition | undefined;
}

export class Post {
  readonly letters = new Set<Letter>();
  /** Tasks of which the platform lost a letter. */
  readonly lost = new Set<string>();
  readonly violations: string[] = [];
  /** Queues that were deleted: what comes there is gone, whoever sent it. */
  readonly closed = new Set<QueueName>();
  readonly sent: Letter[] = [];
  /** Called with what was just sent, before the sender hears of it. */
  afterSend: ((letters: readonly Letter[]) => Promise<void>) | undefined;
  /** After how many seconds a letter comes again that was acked; undefined: it does not. */
  comesAgain: ((letter: Letter) => number | undefined) | undefined;
  /** True when what an invocation said of its letters is lost: all come again. */
  forgets: (() => boolean) | undefined;
  /** True when a letter comes again at once, whatever delay it was given. */
  isHasty: (() => boolean) | undefined;
  /** How many letters of so many a queue takes before it reports an error; undefined: all, and none. */
  takesPart: ((letters: number) => number | undefined) | undefined;
  /** Called when a letter lies in a queue. */
  onPut: (() => void) | undefined;
  /** True when the platform shall lose this letter. */
  loses: ((letter: Letter) => boolean) | undefined;

  put(queue: QueueName, body: unknown, delaySeconds = 0): Letter {
    if (!Number.isInteger(delaySeconds) || delaySeconds < 0 || delaySeconds > MAX_DELAY_SECONDS) {
      this.violations.push(`a message was sent with a delay of ${delaySeconds} s`);
    }
    const letter: Letter = {
      serial: this.sent.length + 1,
      queue,
      body: JSON.parse(JSON.stringify(body)),
      taskId: taskIdOf(body as TaskMessage),
      sentAt: Date.now(),
      visibleAt: Date.now() + delaySeconds * 1000,
      attempts: 0,
      held: false,
      disposition: undefined,
    };
    this.sent.push(letter);
    if (this.loses?.(letter)) this.lost.add(letter.taskId);
    else if (!this.closed.has(queue)) this.letters.add(letter);
    this.onPut?.();
    return letter;
  }

  /** A second letter of the same content, as a platform that delivers twice makes. */
  duplicate(letter: Letter, delaySeconds = 0): Letter {
    return this.put(letter.queue, letter.body, delaySeconds);
  }

  lose(letter: Letter): void {
    this.letters.delete(letter);
    this.lost.add(letter.taskId);
  }

  waiting(queue?: QueueName): Letter[] {
    return [...this.letters].filter((letter) => !letter.held && (queue === undefined || letter.queue === queue));
  }

  /** True while a letter that will wake the task is neither acked nor gone. */
  carries(taskId: string): boolean {
    if (this.lost.has(taskId)) return true;
    return [...this.letters].some(
      (letter) => letter.taskId === taskId && isWakeful(letter) && letter.disposition?.kind !== 'ack',
    );
  }

  /** The letter as the consumer's code gets it; the first disposition wins. */
  hand(letter: Letter, isKilled: () => boolean): Message<unknown> {
    letter.held = true;
    letter.attempts += 1;
    letter.disposition = undefined;
    const decide = (disposition: LetterDisposition) => {
      if (!isKilled()) letter.disposition ??= disposition;
    };
    return {
      id: `letter-${letter.serial}`,
      timestamp: new Date(letter.sentAt),
      body: structuredClone(letter.body),
      attempts: letter.attempts,
      metadata: {},
      ack: () => decide({ kind: 'ack' }),
      retry: ({ delaySeconds = 0 } = {}) => {
        if (!Number.isInteger(delaySeconds) || delaySeconds < 0 || delaySeconds > MAX_DELAY_SECONDS) {
          this.violations.push(`a message was retried with a delay of ${delaySeconds} s`);
        }
        decide({ kind: 'retry', delaySeconds });
      },
    } as Message<unknown>;
  }

  /** Applies the dispositions of an invocation that returned. What it forgot, the platform acks (rule R5). */
  takeBack(letters: readonly Letter[]): void {
    if (this.forgets?.()) {
      this.giveUp(letters);
      return;
    }
    for (const letter of letters) {
      letter.held = false;
      if (letter.disposition === undefined)
        this.violations.push(`letter ${letter.serial} was left without a disposition (R5)`);
      if (letter.disposition?.kind === 'retry') this.#retry(letter, letter.disposition.delaySeconds);
      else this.#takeOut(letter);
    }
  }

  /** After a kill no disposition counts: everything comes again. */
  giveUp(letters: readonly Letter[], delaySeconds = 0): void {
    for (const letter of letters) {
      letter.held = false;
      this.#retry(letter, delaySeconds);
    }
  }

  #takeOut(letter: Letter): void {
    this.letters.delete(letter);
    const delaySeconds = this.comesAgain?.(letter);
    if (delaySeconds !== undefined) this.put(letter.queue, letter.body, delaySeconds).attempts = letter.attempts;
  }

  #retry(letter: Letter, delaySeconds: number): void {
    letter.disposition = undefined;
    letter.visibleAt = Date.now() + (this.isHasty?.() ? 0 : delaySeconds * 1000);
    if (letter.attempts <= MAX_RETRIES) return;
    this.letters.delete(letter);
    if (letter.queue !== 'dead') this.put('dead', letter.body);
  }
}

/** A letter that brings its task before the claim, or before the dead-letter consumer. */
function isWakeful(letter: Letter): boolean {
  return (letter.body as TaskMessage).kind !== 'cancel';
}

function taskIdOf(message: TaskMessage): string {
  return message.kind === 'task' ? message.task.id : message.id;
}
