/** Queue messages that note their verdict: the first one wins, as on the platform. */
import type { TaskMessage } from '../../shared/message/task-message.ts';

export interface NotedMessage extends Message<unknown> {
  readonly verdict: { readonly kind: 'ack' } | { readonly kind: 'retry'; readonly delaySeconds: number } | undefined;
}

export function notedMessage(
  body: unknown,
  {
    id = 'message-1',
    attempts = 1,
    timestamp = new Date(),
  }: Partial<Pick<Message, 'id' | 'attempts' | 'timestamp'>> = {},
): NotedMessage {
  let verdict: NotedMessage['verdict'];
  return {
    id,
    attempts,
    timestamp,
    body,
    metadata: {},
    get verdict() {
      return verdict;
    },
    ack: () => {
      verdict ??= { kind: 'ack' };
    },
    retry: ({ delaySeconds = 0 } = {}) => {
      verdict ??= { kind: 'retry', delaySeconds };
    },
  } as NotedMessage;
}

export interface Sent {
  readonly body: TaskMessage;
  readonly delaySeconds: number;
}

/** A queue that keeps what is sent, or refuses it. */
export function notedQueue(refuses = false): { queue: Queue<TaskMessage>; sent: Sent[] } {
  const sent: Sent[] = [];
  const send = async (body: TaskMessage, { delaySeconds = 0 }: { delaySeconds?: number } = {}) => {
    if (refuses) throw new Error('the queue is full');
    sent.push({ body, delaySeconds });
  };
  return { queue: { send } as unknown as Queue<TaskMessage>, sent };
}
