/** Reason and action for a refusal. */
export interface Advice {
  readonly reason: string;
  readonly suggestion: string;
}

/** Advice for refusals of one code, or of those of its texts that match; $1 and so on stand for what the match found. */
export interface Rule extends Advice {
  readonly code: string;
  /** Part of the kernel's text that tells variants of a code apart. */
  readonly text?: RegExp;
}
