/** What bare Workers keep of a task. */
export interface BareTask {
  readonly id: string;
  readonly request: { readonly service: string; readonly payload: unknown };
}

export interface BareStart {
  readonly id: string;
  readonly word: string;
}
