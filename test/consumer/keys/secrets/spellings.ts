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
  (char, upper) => `\\x{${anyCase(hexOf(char), upper)}}`,
  (char, upper) => `\\U${anyCase(hexOf(char, 8), upper)}`,
  (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`,
  (char) => (/[\w]/.test(char) ? char : `\\${char}`),
  (char, upper) => `%${anyCase(hexOf(char), upper)}`,
  (char) => encodeURIComponent(char),
  (char) => `&#${char.charCodeAt(0)};`,
  (char) => `&#000${char.charCodeAt(0)};`,
  (char) => `&#${'0'.repeat(30)}${char.charCodeAt(0)};`,
  (char, upper) => `&#x000000000${anyCase(hexOf(char), upper)};`,
  (char, upper) => anyCase(`%u${hexOf(char, 4)}`, upper),
  (char, upper) => anyCase(`&#x${hexOf(char)};`, upper),
  (char) =>
    ({ '/': '&sol;', '+': '&plus;', '"': '&quot;', '=': '&equals;', '&': '&amp;', '<': '&lt;', "'": '&apos;' })[char] ??
    char,
  (char, upper) => `=${anyCase(hexOf(char), upper)}`,
  (char) => `\\${hexOf(char, 6)}`,
  (char) => `\\${hexOf(char)} `,
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
  (text) => encodeURIComponent(encodeURIComponent(encodeURIComponent(text))),
  (text) => JSON.stringify(JSON.stringify(JSON.stringify(text))).slice(7, -7),
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
  const hex = fc
    .tuple(
      fc.constantFrom('', ':', '-', ' ', ', ', '\\x', ', 0x', '/', '*', ' - ', '","', '\n', ')(', 'h ', ' U+00', '#'),
      fc.boolean(),
    )
    .map(([separator, upper]) =>
      codes.map((code) => anyCase(code.toString(16).padStart(2, '0'), upper)).join(separator),
    );
  const others = fc.constantFrom(
    codes.join(','),
    codes.join(', '),
    codes.join('","'),
    codes.map((code, at) => (at === 0 ? code : `"${at}":${code}`)).join(','),
    codes.map((code) => code.toString(8).padStart(3, '0')).join(' '),
    codes.map((code, at) => (at === 0 ? code : String(code).padStart(3, '0'))).join(' '),
    JSON.stringify(codes, null, 4).slice(6, -2),
  );
  return fc.oneof(hex, others).map((text) => ({ text, slack: 0 }));
}

/** Character by character, as program text and broken lines have it. */
function inPieces(secret: string): fc.Arbitrary<Written> {
  const chars = Array.from(secret);
  // What is between two characters may be read as the next one.
  const isPlain = /^[A-Za-z0-9]+$/.test(secret);
  const apart = [' ', '.', '","', "', '", '  '].map((separator) => chars.join(separator));
  const indexed = chars.map((char, at) => (at === 0 ? char : `"${at}":"${char}`)).join('",');
  const broken = ['\n', '=\r\n', '= \t\r\n'].map((end) => secret.replace(/.{11}(?=.)/g, `$&${end}`));
  broken.push(secret.replace(/.{5}(?=.)/g, '$&\r\n  '));
  return fc.constantFrom(...broken, ...(isPlain ? [...apart, indexed] : [])).map((text) => ({ text, slack: 0 }));
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function inBase32(secret: string): fc.Arbitrary<Written> {
  return fc
    .record({ before: fc.string({ maxLength: 7 }), after: fc.string({ maxLength: 7 }), isHex: fc.boolean() })
    .map(({ before, after, isHex }) => {
      const bytes = Buffer.concat([Buffer.from(before), Buffer.from(secret, 'latin1'), Buffer.from(after)]);
      const bits = Array.from(bytes as Uint8Array, (byte) => byte.toString(2).padStart(8, '0')).join('');
      const alphabet = isHex ? '0123456789ABCDEFGHIJKLMNOPQRSTUV' : BASE32;
      const signs = bits.match(/.{1,5}/g) ?? [];
      const text = signs.map((sign) => alphabet[Number.parseInt(sign.padEnd(5, '0'), 2)]).join('');
      return { text, slack: 4 * (Buffer.from(before).length + Buffer.from(after).length + 2) };
    });
}

const inHtml = (text: string, quote: string) =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('"', quote)
    .replaceAll("'", '&#39;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');

/** An encoding of an encoding. */
function inTwo(secret: string): fc.Arbitrary<Written> {
  const bytes = Buffer.from(secret, 'latin1');
  const json = JSON.stringify(secret).slice(1, -1);
  const written = [
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    secret.toUpperCase(),
    secret.toLowerCase(),
    json.replaceAll('/', '\\/'),
    encodeURIComponent(json),
    inHtml(secret, '&quot;'),
    inHtml(secret, '&#34;'),
    Array.from(secret, (char) => `\0${char}`).join(''),
  ];
  return fc.constantFrom(
    ...written.map((text) => ({ text: Buffer.from(text).toString('base64'), slack: 4 })),
    { text: Buffer.from(bytes.toString('base64')).toString('hex'), slack: 12 },
    { text: Buffer.from(bytes.toString('base64')).toString('base64'), slack: 12 },
    // An empty text in front keeps the start of the secret apart from its neighbours.
    { text: Buffer.from(JSON.stringify(JSON.stringify({ k: secret }))).toString('base64'), slack: 40 },
  );
}

export function writtenDown(secret: string): fc.Arbitrary<Written> {
  return fc.oneof(
    { weight: 4, arbitrary: escaped(secret) },
    inBase64(secret),
    inBase32(secret),
    asNumbers(secret),
    inPieces(secret),
    inTwo(secret),
  );
}

/** Keys as providers make them, and whatever else is printable. */
export const secrets: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyzABCDEF0123456789-_'), minLength: 16, maxLength: 60 }),
  fc
    .string({ unit: fc.constantFrom(...'abcXYZ0189+/=-_."\\%&'), minLength: 16, maxLength: 60 })
    .map((text) => `sk-${text}`),
);
