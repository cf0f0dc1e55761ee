import type { HelperProto, ProgSpec } from "@tsbpf/abi";
import type { Btf } from "@tsbpf/btf";
import type { State } from "./state/state.ts";

/** Capabilities of the loading process, as far as they change the verdict. */
export type Privilege =
  /** CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_ADMIN. */
  | "all"
  /** CAP_BPF and CAP_NET_ADMIN without CAP_PERFMON: no pointer leaks, no uninitialised stack. */
  | "bpf";

/** How a program is judged. */
export interface VerifyOptions {
  /** Bits of `log_level`: 1 failing path, 2 everything, 4 statistics. 0 keeps no log. */
  readonly logLevel?: number;
  /** Bits of `prog_flags`, added to the program's own. */
  readonly flags?: number;
  /** Kernel whose rules apply. */
  readonly profile?: "6.18";
  /** Helpers beyond Linux's, or in the place of them by id. */
  readonly helpers?: readonly HelperProto[];
  /** Kernel functions beyond Linux's, found by name. */
  readonly kfuncs?: readonly HelperProto[];
  readonly privilege?: Privilege;
  /** BTF of each map by index, where it is not the program's own. */
  readonly mapBtf?: readonly (Uint8Array | undefined)[];
  /** Types of the kernel, for walking its structs; without them only what a struct surely has may be read. */
  readonly kernelBtf?: Btf;
  /**
   * Program whose function a program of type `ext` takes the place of; the function is the extension's `attachTarget`.
   * It is judged too, with the same options.
   */
  readonly targetProg?: ProgSpec;
  /** Processors of the machine, bounding get_smp_processor_id; 1024 when omitted. */
  readonly cpuCount?: number;
  /** Instructions walked before giving up; Linux's million when omitted. */
  readonly insnLimit?: number;
  /**
   * When a path joins one that was walked: "linux" (the default) where all that mattered agrees; "complete" where all
   * that is known agrees, so that the states of an instruction together hold for every run. The latter walks more.
   */
  readonly pruning?: "linux" | "complete";
  /** Is told of each state before its instruction is walked. The walk goes on with it: copy what is to stay. */
  readonly onState?: (slot: number, state: State) => void;
}
