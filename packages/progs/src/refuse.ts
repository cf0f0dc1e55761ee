import { ERRNO, type ErrnoName } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";

/** Makes the error of an input that the kernel's test run answers with an error number. */
export const refuse = (errno: ErrnoName, text: string): InputError =>
  new InputError("RUN_INPUT", `${text} (-${errno})`, { details: { errno: ERRNO[errno] } });
