/** A deploy cannot go on; the message is the one line that a person needs. */
export class DeployError extends Error {
  override readonly name: string = 'DeployError';
}

/** A step failed after others were done. */
export class StepError extends DeployError {
  override readonly name = 'StepError';
}
