/**
 * The header fields of an answer that speak of limits, by their names in lower case. Read in one pass:
 * a look into headers leaves the engine each time, some thirty names may be asked for, and most
 * answers have none of them. Pure.
 */

export type LimitFields = ReadonlyMap<string, string>;

export function limitFieldsOf(headers: Headers): LimitFields {
  const fields = new Map<string, string>();
  for (const [name, value] of headers) {
    if (
      name.includes('ratelimit') ||
      name.includes('rate-limit') ||
      name.includes('retry-after') ||
      name === 'x-amzn-errortype' ||
      name === 'date'
    ) {
      fields.set(name, value);
    }
  }
  return fields;
}
