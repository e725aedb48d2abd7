/** Ways in which programs write a secret down, as generators: each gives the text and what may be left of it. */
import fc from 'fast-check';

const hexOf = (char: string, digits = 2) => char.charCodeAt(0).toString(16).padStart(digits, '0');
const anyCase = (text: string, upper: boolean) => (upper ? text.toUpperCase() : text);

/** Escapes of one character. */
const ESCAPES: readonly ((char: string, upper: boolean) => string)[] = [
  (char) => char,
  (char, upper) => `\\u${anyCase(hexOf(char, 4), upper)}`,
  (char, upper) => `\\x${anyCase(hexOf(char), upper)}`,
  (char, upper) => `\\u{${anyCase(hexOf(char), upper)}}`,
  (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`,
  (char) => (/[\w]/.test(char) ? char : `\\${char}`),
  (char, upper) => `%${anyCase(hexOf(char), upper)}`,
  (char) => encodeURIComponent(char),
  (char) => `&#${char.charCodeAt(0)};`,
  (char) => `&#000${char.charCodeAt(0)};`,
  (char, upper) => `&#x${anyCase(hexOf(char), upper)};`,
  (char) =>
    ({ '/': '&sol;', '+': '&plus;', '"': '&quot;', '=': '&equals;', '&': '&amp;', '<': '&lt;', "'": '&apos;' })[char] ??
    char,
  (char, upper) => `=${anyCase(hexOf(char), upper)}`,
  (char) => `${char}\0`,
];

/** What is done to a text as a whole on its way. */
const LAYERS: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => JSON.stringify(text).slice(1, -1),
  (text) => JSON.stringify(text).slice(1, -1).replaceAll('/', '\\/'),
  (text) => encodeURIComponent(text),
  (text) => Array.from(text, (char) => `%${hexOf(char)}`).join(''),
  (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;'),
  (text) => Array.from(text, (char) => `\\u${hexOf(char, 4)}`).join(''),
];

export interface Written {
  readonly text: string;
  /** Characters of the encoding that stand for the secret and its neighbours alike. */
  readonly slack: number;
}

function escaped(secret: string): fc.Arbitrary<Written> {
  const each = fc.record({ escape: fc.nat(ESCAPES.length - 1), upper: fc.boolean() });
  // One way for all, or another for each character.
  const ways = fc.oneof(
    each.map((way) => Array.from(secret, () => way)),
    fc.array(each, { minLength: secret.length, maxLength: secret.length }),
  );
  return fc.tuple(ways, fc.nat(LAYERS.length - 1)).map(([chosen, layer]) => {
    const text = Array.from(secret, (char, at) => ESCAPES[chosen[at]?.escape ?? 0]?.(char, chosen[at]?.upper ?? false));
    const written = text.join('');
    // The zero after the last character, escaped.
    return { text: LAYERS[layer]?.(written) ?? '', slack: written.endsWith('\0') ? 20 : 0 };
  });
}

const asBytes = (text: string, layer: number) =>
  Buffer.from(
    [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text)][layer] ?? text,
    layer === 3 ? 'utf16le' : 'latin1',
  );

function inBase64(secret: string): fc.Arbitrary<Written> {
  return fc
    .record({
      before: fc.string({ maxLength: 7 }),
      after: fc.string({ maxLength: 7 }),
      layer: fc.nat(3),
      url: fc.boolean(),
      columns: fc.constantFrom(0, 19, 64, 76),
      outer: fc.nat(LAYERS.length - 1),
    })
    .map(({ before, after, layer, url, columns, outer }) => {
      const bytes = Buffer.concat([Buffer.from(before), asBytes(secret, layer), Buffer.from(after)]);
      const encoded = bytes.toString(url ? 'base64url' : 'base64');
      const lines = columns === 0 ? encoded : encoded.replace(new RegExp(`.{${columns}}`, 'g'), '$&\r\n');
      const rest = Math.ceil((Buffer.from(before).length + Buffer.from(after).length + 6) * 1.5);
      return { text: LAYERS[outer]?.(lines) ?? '', slack: 12 * rest };
    });
}

function asNumbers(secret: string): fc.Arbitrary<Written> {
  const codes = Array.from(secret, (char) => char.charCodeAt(0));
  return fc
    .tuple(fc.constantFrom('', ':', '-', ' ', ', ', '\\x', ', 0x', ',10'), fc.boolean())
    .map(([separator, upper]) => {
      const text =
        separator === ',10'
          ? codes.join(',')
          : codes.map((code) => anyCase(code.toString(16).padStart(2, '0'), upper)).join(separator);
      return { text, slack: 0 };
    });
}

export function writtenDown(secret: string): fc.Arbitrary<Written> {
  return fc.oneof({ weight: 4, arbitrary: escaped(secret) }, inBase64(secret), asNumbers(secret));
}

/** Keys as providers make them, and whatever else is printable. */
export const secrets: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyzABCDEF0123456789-_'), minLength: 16, maxLength: 60 }),
  fc
    .string({ unit: fc.constantFrom(...'abcXYZ0189+/=-_."\\%&'), minLength: 16, maxLength: 60 })
    .map((text) => `sk-${text}`),
);
