/** One line of the checklist. */
export interface DoctorFinding {
  readonly item: string;
  readonly state: 'ok' | 'missing' | 'unknown';
  readonly says: string;
  readonly remedy?: string | undefined;
}

export function finding(item: string, isOk: boolean, says: string, remedy: string): DoctorFinding {
  return isOk ? { item, state: 'ok', says } : { item, state: 'missing', says, remedy };
}
