/** The provider's answers in the words of the two APIs that it imitates. No clock, no network. */

export type Style = 'openai' | 'google';

export interface ErrorAnswer {
  readonly status: number;
  readonly body: unknown;
}

type ErrorKind = 'no-key' | 'revoked' | 'limited' | 'exhausted';

const OPENAI_ERRORS: Readonly<Record<ErrorKind, { status: number; code: string; type: string; message: string }>> = {
  'no-key': {
    status: 401,
    code: 'missing_api_key',
    type: 'invalid_request_error',
    message: 'You did not provide an API key.',
  },
  revoked: {
    status: 401,
    code: 'invalid_api_key',
    type: 'invalid_request_error',
    message: 'Incorrect API key provided.',
  },
  limited: { status: 429, code: 'rate_limit_exceeded', type: 'requests', message: 'Rate limit reached.' },
  exhausted: {
    status: 429,
    code: 'insufficient_quota',
    type: 'insufficient_quota',
    message: 'You exceeded your current quota.',
  },
};

/** @param retryAfterMs of a limited request */
export function errorAnswer(style: Style, kind: ErrorKind, retryAfterMs = 0): ErrorAnswer {
  if (style === 'google') return googleError(kind, retryAfterMs);
  const { status, ...error } = OPENAI_ERRORS[kind];
  return { status, body: { error } };
}

function googleError(kind: ErrorKind, retryAfterMs: number): ErrorAnswer {
  const error = (code: number, status: string, message: string, details: unknown[]) => ({
    status: code,
    body: { error: { code, status, message, details } },
  });
  switch (kind) {
    case 'no-key':
      return error(403, 'PERMISSION_DENIED', 'Method does not allow unregistered callers.', []);
    case 'revoked':
      return error(400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.', [
        { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID', domain: 'googleapis.com' },
      ]);
    case 'limited':
    case 'exhausted': {
      const quotaId = `GenerateRequestsPer${kind === 'limited' ? 'Minute' : 'Day'}PerProjectPerModel-FreeTier`;
      return error(429, 'RESOURCE_EXHAUSTED', 'You exceeded your current quota.', [
        { '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaId }] },
        { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${Math.ceil(retryAfterMs / 1000)}s` },
      ]);
    }
  }
}

/** What every model says. */
const WORDS = ['Hello', ' from', ' the', ' example', ' provider', '.'];
const TEXT = WORDS.join('');
const TOKENS_IN = 5;

export function chatCompletion(model: string, created: number) {
  return {
    id: `chatcmpl-${created}`,
    object: 'chat.completion',
    created,
    model,
    choices: [{ index: 0, message: { role: 'assistant', content: TEXT, refusal: null }, finish_reason: 'stop' }],
    usage: { prompt_tokens: TOKENS_IN, completion_tokens: WORDS.length, total_tokens: TOKENS_IN + WORDS.length },
  };
}

/** Server-sent events, as `data:` texts. */
export function chatCompletionChunks(model: string, created: number): string[] {
  const chunk = (delta: unknown, finish: string | null) =>
    JSON.stringify({
      id: `chatcmpl-${created}`,
      object: 'chat.completion.chunk',
      created,
      model,
      choices: [{ index: 0, delta, finish_reason: finish }],
    });
  return [
    ...WORDS.map((content, index) => chunk(index === 0 ? { role: 'assistant', content } : { content }, null)),
    chunk({}, 'stop'),
    '[DONE]',
  ];
}

export function generatedContent(model: string, words: readonly string[] = WORDS, finishReason = 'STOP') {
  return {
    candidates: [{ content: { role: 'model', parts: [{ text: words.join('') }] }, finishReason, index: 0 }],
    usageMetadata: {
      promptTokenCount: TOKENS_IN,
      candidatesTokenCount: words.length,
      totalTokenCount: TOKENS_IN + words.length,
    },
    modelVersion: model,
  };
}

export function generatedContentChunks(model: string): string[] {
  return WORDS.map((word, index) =>
    JSON.stringify(generatedContent(model, [word], index === WORDS.length - 1 ? 'STOP' : '')),
  );
}
