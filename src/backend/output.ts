/** One event of a response stream, in the shape the public Responses API documents. */
export type ResponseEvent = { readonly type: string; readonly [member: string]: unknown };

/** What a response is made of: a message, or a call of a tool. */
export type OutputItem = { readonly id: string; readonly [member: string]: unknown };

/** One output item: as it stands when it is announced, the events that fill it, and as it stands at its end. */
export type Output = {
  readonly begun: OutputItem;
  readonly events: readonly ResponseEvent[];
  readonly item: OutputItem;
};
