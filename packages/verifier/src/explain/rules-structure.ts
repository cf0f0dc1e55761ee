import type { Rule } from "./rule.ts";

/** Refusals of encodings, of the layout of functions, and at limits; from special to general. */
export const STRUCTURE_RULES: readonly Rule[] = [
  {
    code: "ISA_UNKNOWN_OPCODE",
    text: /opcode 8d/,
    reason: "calls through a register are an instruction that Linux 6.18 does not take",
    suggestion: "call the functions by name, behind compares, or reach them by a tail call",
  },
  {
    code: "ISA_UNKNOWN_OPCODE",
    reason: "no instruction has this opcode",
    suggestion: "assemble or compile the program anew; the code may be damaged or meant for another machine",
  },
  {
    code: "ISA_RESERVED_FIELD",
    reason: "a field that the instruction does not use is not zero",
    suggestion: "set the fields that the instruction does not use to 0",
  },
  {
    code: "ISA_UNKNOWN_OPERATION",
    text: /atomic/,
    reason: "no atomic operation has this number",
    suggestion: "use add, or, and, xor, their fetching forms, xchg, cmpxchg, load_acquire or store_release",
  },
  {
    code: "ISA_WIDE_SECOND_SLOT",
    reason: "a wide load takes two slots, and the second may hold nothing but the upper half of the number",
    suggestion: "let opcode, registers and offset of the slot behind the load be 0",
  },
  {
    code: "ISA_WIDE_KIND",
    reason: "the source field of a wide load says what it loads, and this value says nothing",
    suggestion: "use 0 for a number, 1 and 2 for a map and its value, 4 for a function",
  },
  {
    code: "ISA_",
    reason: "the instruction is not one that Linux 6.18 knows",
    suggestion: "check its encoding; unused fields must be zero",
  },
  {
    code: "CFG_UNREACHABLE",
    reason: "no path leads to this instruction: what stands before it always exits, jumps on or never ends",
    suggestion: "remove the instruction, or let a condition before it lead here",
  },
  {
    code: "CFG_FALL_THROUGH",
    reason: "the function can run past its last instruction",
    suggestion: "end the function with exit or an unconditional jump",
  },
  {
    code: "CFG_JUMP_RANGE",
    reason: "the jump leaves its function",
    suggestion: "jump to a place inside the function; another function is reached by a call",
  },
  {
    code: "CFG_INTO_WIDE",
    reason: "the target is the second half of a wide load, which is no instruction",
    suggestion: "jump to the load itself or behind it; a wide load counts as two slots",
  },
  {
    code: "CFG_CALL_TARGET",
    reason: "the call leads outside of the program",
    suggestion: "count the distance in slots from the one behind the call, or link the function in",
  },
  {
    code: "CFG_FUNC_INFO",
    reason: "the function records of the BTF do not fit the functions that the calls make",
    suggestion:
      "give one record for each function, in order, at its first slot, with the id of its FUNC type",
  },
  {
    code: "CFG_LINE_INFO",
    reason: "the line records of the BTF do not fit the program",
    suggestion:
      "give records in order of their slots, one at the first slot of each function, or none at all",
  },
  {
    code: "CFG_LD_ABS_RETURN",
    reason:
      "a packet load of the old kind may end the function, and nothing says that this one returns an int",
    suggestion: "give the function BTF with an int result, or keep such loads in the main function",
  },
  {
    code: "CFG_TAIL_CALL_RETURN",
    reason:
      "the program behind a tail call decides the result, and nothing says that this function returns an int",
    suggestion: "give the function BTF with an int result, or keep tail calls in the main function",
  },
  {
    code: "CFG_RANGE",
    reason: "the walk left the program",
    suggestion: "end every path with exit",
  },
  {
    code: "LIMIT_LOOP",
    reason: "the loop comes back to a state that it was in before, so that nothing shows it will end",
    suggestion: "change a counter in each round and compare it with a limit",
  },
  {
    code: "LIMIT_INSNS",
    reason: "the walk over all paths did not end within a million instructions",
    suggestion:
      "bound loops more tightly, use bpf_loop, or move code to global functions, which are walked once",
  },
  {
    code: "LIMIT_BRANCHES",
    reason: "more than 8192 branches wait to be walked: paths fork faster than they end",
    suggestion: "use bpf_loop for the loop, or fork less inside of it",
  },
  {
    code: "LIMIT_STACK",
    text: /subprog (\d+)/,
    reason: "the frame of function $1 needs more than 512 bytes",
    suggestion: "keep large buffers in a map, of one entry per CPU if need be",
  },
  {
    code: "LIMIT_STACK",
    reason: "the frames of this call chain need more than 512 bytes together",
    suggestion: "keep large buffers in a map, or call one after the other instead of one from the other",
  },
  {
    code: "LIMIT_TAIL_CALL_STACK",
    reason: "a tail call keeps the frames above it, which may take 256 bytes at most",
    suggestion: "call from a function nearer to the entry, or keep buffers in a map",
  },
  {
    code: "LIMIT_FRAMES",
    reason: "calls nest deeper than 8 frames; recursion always does",
    suggestion: "turn recursion into a loop, call from a flatter chain, or use a tail call",
  },
  {
    code: "LIMIT_SUBPROGS",
    reason: "a program has 256 functions at most",
    suggestion: "let the compiler inline some (static inline), or split the program by tail calls",
  },
  {
    code: "LIMIT_MAPS",
    reason: "a program uses 64 maps at most",
    suggestion: "keep several values in one map, or split the program by tail calls",
  },
  {
    code: "LIMIT_SLOTS",
    reason: "a program has one instruction at least and a million at most",
    suggestion: "split the program by tail calls",
  },
  {
    code: "LIMIT_KFUNCS",
    reason: "a program calls 256 different kernel functions at most",
    suggestion: "split the program by tail calls",
  },
  {
    code: "LIMIT_BACKTRACK",
    reason:
      "Linux cannot find back where a number came from that it needs exactly, and calls that a fault of its own",
    suggestion: "compute the number again, near where it is needed",
  },
];
