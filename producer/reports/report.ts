/** From a backend's report to what the callback Worker takes, which shortens its texts. Pure. */
import type { CallbackReport } from '../../shared/ledger/rpc.ts';
import type { Content } from '../../shared/task/content.ts';
import type { Refusal } from '../answer/refusal.ts';
import { inlineContent, isInline } from '../json/inline-content.ts';
import type { TaskReport } from '../schema/report.ts';

export type ReadReport =
  | { readonly ok: true; readonly report: CallbackReport['report'] }
  /** A result that is too large for a row. */
  | { readonly ok: true; readonly large: Content }
  /** A result that was uploaded. */
  | { readonly ok: true; readonly upload: string }
  | { readonly ok: false; readonly refusal: Refusal };

const RESULT_FIELDS = { value: '/result', base64: '/resultBase64' };

/** @param maxBytes of a result that comes inside JSON */
export function reportOf(report: TaskReport, maxBytes?: number): ReadReport {
  switch (report.status) {
    case 'succeeded': {
      const { result: value, resultBase64: base64, resultContentType: contentType, resultUpload: upload } = report;
      const inline = inlineContent({ value, base64, contentType }, RESULT_FIELDS, maxBytes);
      if (!inline.ok) return inline;
      const { content } = inline;
      if (upload !== undefined) {
        return (content ?? contentType) === undefined ? { ok: true, upload } : besideUpload();
      }
      if (content !== undefined && !isInline(content)) return { ok: true, large: content };
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

function besideUpload(): ReadReport {
  const field = '/resultUpload';
  const reason = 'stands alone: the upload says what it is';
  return {
    ok: false,
    refusal: { code: 'invalid-request', details: { detail: `${field}: ${reason}`, errors: [{ field, reason }] } },
  };
}

function progressOf({ progress, message }: Extract<TaskReport, { status: 'running' }>) {
  const said = typeof progress === 'number' ? { percent: progress } : (progress ?? {});
  const text = said.message ?? message;
  return {
    ...(said.percent === undefined ? {} : { percent: said.percent }),
    ...(text === undefined ? {} : { message: text }),
  };
}
