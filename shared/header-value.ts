/** What the value of a header may be that we send: HTTP allows more, and not every server reads it alike. */
export const HEADER_VALUE_PATTERN = /^[\t\x20-\x7e]*$/;
