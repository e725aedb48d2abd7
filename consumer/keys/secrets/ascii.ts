/** Kinds of signs, by their codes: whatever secrets and their notations are made of is ASCII. */

export const BACKSLASH = 0x5c;

export function isLetter(code: number): boolean {
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}

export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

export function isBlank(code: number): boolean {
  return code === 0x20 || code === 9;
}

/** A blank, or what is printable and neither a letter nor a digit. */
export function isSeparator(code: number): boolean {
  return isBlank(code) || (code > 0x20 && code < 0x7f && !isLetter(code) && !isDigit(code));
}
