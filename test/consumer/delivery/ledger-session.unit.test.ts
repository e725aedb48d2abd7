import { describe, expect, it } from 'vitest';
import { LedgerConversation, MAX_LEDGER_SESSIONS } from '../../../consumer/delivery/ledger-session.ts';

/** A ledger whose sessions break as told; counts what is opened and closed. */
function ledgerOf(breaks: (question: number) => boolean) {
  const count = { opened: 0, closed: 0, asked: 0 };
  const ask = async () => {
    count.asked += 1;
    if (breaks(count.asked)) throw new Error('the session broke');
    return [];
  };
  const open = async () => {
    count.opened += 1;
    return {
      claim: ask,
      settle: ask,
      cancelledAmong: ask,
      route: async () => ({ decisions: [], servers: {}, lines: {}, servicesVersion: 0 }),
      giveUp: async () => undefined,
      reportCalls: async () => undefined,
      readServices: async () => undefined,
      [Symbol.dispose]: () => void count.closed++,
    };
  };
  return { open, count };
}

describe("a batch's conversation with the ledger", () => {
  it('is one session, however often it asks', async () => {
    const ledger = ledgerOf(() => false);
    const conversation = new LedgerConversation(ledger);
    await Promise.all([conversation.claim({ nonce: '', claims: [] }), conversation.settle([])]);
    await conversation.cancelledAmong([]);
    conversation[Symbol.dispose]();
    await Promise.resolve();
    await Promise.resolve();
    expect(ledger.count).toEqual({ opened: 1, closed: 1, asked: 3 });
  });

  it('is not opened when nothing is asked', () => {
    const ledger = ledgerOf(() => false);
    new LedgerConversation(ledger)[Symbol.dispose]();
    expect(ledger.count.opened).toBe(0);
  });

  it('is opened again after it broke', async () => {
    const ledger = ledgerOf((question) => question === 1);
    const conversation = new LedgerConversation(ledger);
    await expect(conversation.settle([])).rejects.toThrow('broke');
    await expect(conversation.settle([])).resolves.toEqual([]);
    expect(ledger.count.opened).toBe(2);
  });

  it('is opened a bounded number of times', async () => {
    const ledger = ledgerOf(() => true);
    const conversation = new LedgerConversation(ledger);
    for (let count = 0; count < 20; count++) await expect(conversation.settle([])).rejects.toThrow('broke');
    expect(ledger.count).toMatchObject({ opened: MAX_LEDGER_SESSIONS, asked: 20 });
  });

  it('is opened once more for all questions that broke with it', async () => {
    const ledger = ledgerOf((question) => question <= 3);
    const conversation = new LedgerConversation(ledger);
    await Promise.allSettled([conversation.settle([]), conversation.settle([]), conversation.cancelledAmong([])]);
    await conversation.settle([]);
    expect(ledger.count.opened).toBe(2);
  });
});
