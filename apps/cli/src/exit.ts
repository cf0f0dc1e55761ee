/** What an exit status says. @source README "Exit codes" */
export const EXIT = {
  ok: 0,
  /** The answer is no: rejected, trapped, different. */
  negative: 1,
  /** Wrong usage or input that cannot be read. */
  usage: 2,
  /** Ended by Ctrl-C, after printing what was done. */
  interrupted: 130,
  /** Ended by SIGTERM in the same way. */
  terminated: 143,
} as const;
