/** Linux's limits, in one place. @source linux include/linux/bpf.h, include/linux/filter.h, include/linux/bpf_verifier.h */
export const LIMITS = {
  /** Call frames of one program, the entry included. */
  callFrames: 8,
  /** Bytes of stack in one frame and along one call chain. */
  stackBytes: 512,
  /** Successful tail calls in one chain. */
  tailCalls: 33,
  /** Slots of a program loaded with CAP_BPF. */
  progSlots: 1_000_000,
  /** Functions of one program, the entry included. */
  subprogs: 256,
  /** Instructions the verifier walks before it gives up. */
  verifiedInsns: 1_000_000,
  /** Pending branches of the verifier. */
  pendingBranches: 8192,
  /** Maps that one program may use. */
  usedMaps: 64,
  /** Iterations of one bpf_loop, and of the may_goto counter. */
  loops: 8 * 1024 * 1024,
  /** Largest helper argument count. */
  helperArgs: 5,
  /** Bytes before a packet in XDP. */
  xdpHeadroom: 256,
} as const;
