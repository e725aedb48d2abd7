/**
 * Records administrative acts: what the access table names as an act and was done to somebody else's or
 * everybody's things, once it has been done. An act that cannot be recorded is done all the same, and the
 * log has it: there the event is written first.
 */
import type { Context } from 'hono';
import { logError, logInfo } from '../../shared/log.ts';
import { auditId, recordAct } from '../../shared/store/audit.ts';
import type { AppEnv, Caller } from '../app.ts';
import type { Finish } from './finish.ts';
import { accessOfRequest } from './guards.ts';
import { requestIdOf } from './request-id.ts';

const MAX_CHANGE_CHARS = 8_000;

export const recordActs: Finish = (c) => {
  const principal = c.get('principal');
  return principal?.scope === 'all' && c.res.ok ? recordActOf(c, principal) : undefined;
};

async function recordActOf(c: Context<AppEnv>, principal: Caller): Promise<void> {
  const access = accessOfRequest(c);
  const act = typeof access === 'object' ? access.act : undefined;
  if (act === undefined) return;
  const at = Date.now();
  const { target, before, after, count = 1 } = c.get('change') ?? {};
  // It only asked what would be done, or there was nothing to do.
  if (count === 0) return;
  const row = {
    id: auditId(at, crypto.randomUUID().slice(0, 8)),
    at,
    subject: principal.subject,
    role: principal.role,
    act,
    target: target ?? targetOf(c.req.param() as Readonly<Record<string, string>>, c.req.query('subject')),
    count,
    before: textOf(before),
    after: textOf(after),
    request_id: requestIdOf(c),
  };
  const { id: _, before: _before, after: _after, ...event } = row;
  logInfo('act', event);
  try {
    await recordAct(c.env.runtime.config.stores.control, row);
  } catch (error) {
    logError('audit.failed', { act, target: row.target }, error);
  }
}

/** The parts of the address that name something, `ocr` or `0/gemini-3`, below their owner where it says whose: `alice/night-7`. */
function targetOf(params: Readonly<Record<string, string>>, owner: string | undefined): string {
  const names = Object.entries(params)
    .filter(([name]) => name !== 'action')
    .map(([, value]) => value);
  return [...(owner === undefined ? [] : [owner]), ...names].join('/');
}

function textOf(value: unknown): string | null {
  if (value === undefined) return null;
  const text = JSON.stringify(value);
  return text.length <= MAX_CHANGE_CHARS ? text : JSON.stringify(`too long to keep: ${text.length} characters`);
}
