/** The parts of OTLP's JSON that traces and metrics share. Pure. Numbers of 64 bits are texts there. */

export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** Attributes without a value are left out. */
export function encodeAttributes(attributes: Attributes) {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: encodeValue(value) }],
  );
}

function encodeValue(value: string | number): Readonly<Record<string, string | number>> {
  if (typeof value === 'string') return { stringValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** @param at Unix milliseconds */
export function nanoseconds(at: number): string {
  return `${Math.round(at)}000000`;
}

export const SCOPE = { name: 'tasklane' } as const;

/** @param part which Worker tells */
export function resourceOf(part: string) {
  return { attributes: encodeAttributes({ 'service.name': 'tasklane', 'service.namespace': part }) };
}
