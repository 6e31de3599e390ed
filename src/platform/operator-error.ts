/** What whoever runs the server can mend. The message says what is wrong and where, and needs no stack beside it. */
export class OperatorError extends Error {
  override readonly name: string = 'OperatorError';
}
