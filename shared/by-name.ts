/**
 * Records whose names people choose: services, pools, groups. They have no prototype, so that
 * `constructor` or `__proto__` is a name like any other, and one that is not there is not found.
 */
export function byName<Value>(...records: readonly Readonly<Record<string, Value>>[]): Readonly<Record<string, Value>> {
  return Object.assign(Object.create(null), ...records);
}
