import { ERRNO, type ErrnoName } from "@tsbpf/abi";
import type { Env } from "./env.ts";

/**
 * The end of a verification: thrown by the check that refused, caught by `verifyProg`. Not an error of ours, and no
 * `Error`, whose stack would cost more than the check.
 */
export class Rejection {
  readonly message: string;
  readonly code: string;
  readonly errnoName: ErrnoName;
  readonly errno: number;
  readonly insnIdx: number;

  constructor(code: string, errnoName: ErrnoName, text: string, insnIdx: number) {
    this.message = text;
    this.code = code;
    this.errnoName = errnoName;
    this.errno = ERRNO[errnoName];
    this.insnIdx = insnIdx;
  }
}

/** Writes the kernel's line and ends the verification. */
export function reject(env: Env, code: string, errno: ErrnoName, text: string): never {
  env.log.write(`${text}\n`);
  throw new Rejection(code, errno, text, env.insnIdx);
}

/** Like {@link reject} for the kernel's messages that lack their newline. */
export function rejectUnterminated(env: Env, code: string, errno: ErrnoName, text: string): never {
  env.log.write(text);
  throw new Rejection(code, errno, text, env.insnIdx);
}

/** Ends the verification without a line of its own: an earlier line said why. */
export function rejectSilently(env: Env, code: string, errno: ErrnoName, text: string): never {
  throw new Rejection(code, errno, text, env.insnIdx);
}
