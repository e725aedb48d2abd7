/** Crockford's base32, lower case: no letter that is taken for another, and text sorts as the bytes do. */
export const CROCKFORD_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
