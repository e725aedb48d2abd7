/**
 * What is wrong with a plan before anything is changed, or may be. A deploy with a refusal does not begin.
 */
export interface Finding {
  readonly kind: 'refused' | 'warning';
  /** What it is about: a service's field, a Worker, a limit. */
  readonly about: string;
  readonly message: string;
}

export function findingText({ about, message }: Finding): string {
  return `${about}: ${message}`;
}

export function refusalsIn(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ kind }) => kind === 'refused');
}
