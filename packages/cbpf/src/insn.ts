/**
 * One instruction of classic BPF, the shape of the kernel's `struct sock_filter`.
 *
 * @source linux uapi/linux/filter.h struct sock_filter
 */
export interface CbpfInsn {
  /** Opcode, 16 bits of which the low 8 are used. */
  readonly code: number;
  /** Instructions to skip when a condition holds, 0..255. */
  readonly jt: number;
  /** Instructions to skip when a condition fails, 0..255. */
  readonly jf: number;
  /** Operand, an unsigned 32-bit number. */
  readonly k: number;
}

/** Makes an instruction; omitted fields are zero, `k` wraps to 32 bits. */
export const makeCbpf = (code: number, k = 0, jt = 0, jf = 0): CbpfInsn => ({ code, jt, jf, k: k >>> 0 });

/** Words of scratch memory, M[0] to M[15]. @source linux uapi/linux/bpf_common.h BPF_MEMWORDS */
export const SCRATCH_WORDS = 16;

/** Instructions that Linux takes in one program. @source linux uapi/linux/bpf_common.h BPF_MAXINSNS */
export const CBPF_INSNS_MAX = 4096;

/** Bits that a constant can shift by at most. */
export const SHIFT_MAX = 31;

/** Bits of a byte in which `ldxb 4*([k]&0xf)` finds a header's length, in words. */
export const HEADER_LENGTH_MASK = 0xf;

/** Farthest that a condition can jump. */
export const CBPF_JUMP_MAX = 255;
