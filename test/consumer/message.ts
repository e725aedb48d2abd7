/** Queue messages that note their disposition: the first one wins, as on the platform. */
import type { TaskMessage } from '../../shared/message/task-message.ts';

export interface NotedMessage extends Message<unknown> {
  readonly disposition:
    | { readonly kind: 'ack' }
    | { readonly kind: 'retry'; readonly delaySeconds: number }
    | undefined;
}

export function notedMessage(
  body: unknown,
  {
    id = 'message-1',
    attempts = 1,
    timestamp = new Date(),
  }: Partial<Pick<Message, 'id' | 'attempts' | 'timestamp'>> = {},
): NotedMessage {
  let disposition: NotedMessage['disposition'];
  return {
    id,
    attempts,
    timestamp,
    body,
    metadata: {},
    get disposition() {
      return disposition;
    },
    ack: () => {
      disposition ??= { kind: 'ack' };
    },
    retry: ({ delaySeconds = 0 } = {}) => {
      disposition ??= { kind: 'retry', delaySeconds };
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
