/**
 * The headers of a request, read at once. They are walked through anyway, for their number is limited; to look for ten of
 * them in `Headers` afterwards would cost more than that walk.
 */
export interface RequestHeaders {
  /** By name, in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  readonly count: number;
  /** Of all names and values. */
  readonly characters: number;
}

export function readHeaders(headers: Headers): RequestHeaders {
  const fields = new Map<string, string>();
  let count = 0;
  let characters = 0;
  headers.forEach((value, name) => {
    fields.set(name, value);
    count += 1;
    characters += name.length + value.length;
  });
  return { fields, count, characters };
}
