/** From a backend's report to what the callback Worker takes, which shortens its texts. Pure. */
import type { CallbackReport } from '../shared/ledger/rpc.ts';
import { inlineContent } from './inline-content.ts';
import type { Refusal } from './refusal.ts';
import type { TaskReport } from './schema/report.ts';

export type ReadReport =
  | { readonly ok: true; readonly report: CallbackReport['report'] }
  | { readonly ok: false; readonly refusal: Refusal };

const RESULT_FIELDS = { value: '/result', base64: '/resultBase64' };

export function reportOf(report: TaskReport): ReadReport {
  switch (report.status) {
    case 'succeeded': {
      const { result: value, resultBase64: base64, resultContentType: contentType } = report;
      const inline = inlineContent({ value, base64, contentType }, RESULT_FIELDS);
      if (!inline.ok) return inline;
      const { content } = inline;
      return { ok: true, report: { status: 'succeeded', ...(content === undefined ? {} : { result: content }) } };
    }
    case 'failed': {
      const { error, retryable } = report;
      return { ok: true, report: { status: 'failed', message: error.message, retryable } };
    }
    case 'running':
      return { ok: true, report: { status: 'running', ...progressOf(report) } };
  }
}

function progressOf({ progress, message }: Extract<TaskReport, { status: 'running' }>) {
  const said = typeof progress === 'number' ? { percent: progress } : (progress ?? {});
  const text = said.message ?? message;
  return {
    ...(said.percent === undefined ? {} : { percent: said.percent }),
    ...(text === undefined ? {} : { message: text }),
  };
}
