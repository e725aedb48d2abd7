/**
 * Takes a key out of what a backend sends back: a result, an error, a debugging echo. Finds the key as
 * it is, percent-encoded, escaped as in JSON, in hexadecimal, and inside base64 wherever it starts. A
 * backend that hides it in another way is not caught. Pure.
 */
import { type Content, isJsonText } from '../../../shared/task/content.ts';

export const REPLACEMENT = '[redacted]';

/** Shorter ones would be found in innocent text. */
const MIN_CHARS = 4;

/** Base64 of fewer characters is not specific enough. */
const MIN_ENCODED_CHARS = 8;

export type Redact = (text: string) => string;

/** Every notation of the secrets that is looked for, the longer first. */
export function secretForms(secrets: readonly string[]): string[] {
  return [...new Set(secrets.filter((secret) => secret.length >= MIN_CHARS).flatMap(formsOf))].sort(
    (a, b) => b.length - a.length,
  );
}

/** @param secrets values that must not be seen; longer forms are replaced first */
export function redactionOf(secrets: readonly string[]): Redact {
  const forms = secretForms(secrets);
  if (forms.length === 0) return (text) => text;
  const pattern = new RegExp(forms.map(escapeRegExp).join('|'), 'g');
  return (text) => text.replace(pattern, REPLACEMENT);
}

export function redactContent(content: Content, redact: Redact): Content {
  if (content.encoding !== 'base64') {
    const text = redact(content.text);
    if (text === content.text) return content;
    // A key among the numbers of a document would leave no document.
    const encoding = content.encoding === 'json' && !isJsonText(text) ? 'text' : content.encoding;
    return { ...content, encoding, text };
  }
  const bytes = atob(content.text);
  const cleaned = redact(bytes);
  return cleaned === bytes ? content : { ...content, text: btoa(cleaned) };
}

function formsOf(secret: string): string[] {
  const hex = Array.from(secret, (char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('');
  const json = JSON.stringify(secret).slice(1, -1);
  return [
    secret,
    encodeURIComponent(secret),
    encodeURIComponent(secret).replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    json,
    json.replaceAll('/', '\\/'),
    hex,
    hex.toUpperCase(),
    ...base64Forms(secret),
  ];
}

/** Wherever the key starts in what was encoded, these characters depend on it alone. */
function base64Forms(secret: string): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const encoded = btoa('\0'.repeat(offset) + secret);
    const from = Math.ceil((offset * 8) / 6);
    const to = Math.floor(((offset + secret.length) * 8) / 6);
    const inner = encoded.slice(from, to);
    if (inner.length < MIN_ENCODED_CHARS) return [];
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
