/** Reason and action for a refusal. */
export interface Advice {
  readonly reason: string;
  readonly suggestion: string;
}

interface Rule {
  readonly code: string;
  /** Part of the kernel's text that tells variants of a code apart. */
  readonly text?: RegExp;
  readonly reason: string;
  readonly suggestion: string;
}

/** First match counts; order from special to general. */
const RULES: readonly Rule[] = [
  {
    code: "CALL_TAIL_CALL_MAPS",
    reason: "paths reach this tail call with different program arrays, and the loader lacks CAP_PERFMON",
    suggestion: "write one tail call for each program array, or load with CAP_PERFMON",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    text: /different maps, paths or scalars/,
    reason: "without CAP_PERFMON the number is masked, and paths to this instruction need different masks",
    suggestion: "repeat the instruction on each path, or load with CAP_PERFMON",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    text: /unsupported alu operation/,
    reason: "without CAP_PERFMON only stack and map value pointers may move by a register",
    suggestion: "move the pointer by a constant, or load with CAP_PERFMON",
  },
  {
    code: "MEM_BASE",
    text: /_or_null'/,
    reason: "the pointer may be NULL on this path",
    suggestion: "compare the pointer with 0 and use it only on the side where it is not",
  },
  {
    code: "MEM_BASE",
    text: /'scalar'/,
    reason: "the register holds a number, not a pointer",
    suggestion:
      "derive the pointer anew: it was overwritten, released, or lost when a call changed the packet",
  },
  {
    code: "MEM_BASE",
    reason: "memory cannot be accessed through this kind of pointer",
    suggestion: "use the helper that takes this kind of pointer",
  },
  {
    code: "MEM_PACKET_BOUNDS",
    reason: "no compare with data_end proves that these bytes lie in the packet",
    suggestion: "check `data + offset + size <= data_end` on every path before the access",
  },
  {
    code: "MEM_BOUNDS",
    reason: "the offset may lie outside of the memory behind the pointer",
    suggestion: "bound the offset with a compare or a mask so that offset + size fits",
  },
  {
    code: "MEM_UNBOUNDED",
    reason: "nothing bounds the offset from above",
    suggestion: "compare the offset with an upper limit, or mask it, before adding it",
  },
  {
    code: "MEM_NEGATIVE",
    reason: "the offset may be negative",
    suggestion: "use an unsigned offset, or check that it is not below 0",
  },
  {
    code: "MEM_STACK_BOUNDS",
    reason: "the access leaves the 512 bytes below the frame pointer",
    suggestion: "keep offsets between -512 and -size",
  },
  {
    code: "MEM_STACK_UNINIT",
    reason: "these bytes of the stack were never written, or hold an object",
    suggestion: "write the bytes first",
  },
  {
    code: "MEM_CTX_ACCESS",
    reason: "this program type may not access the context at this offset with this size",
    suggestion: "access the whole field at its own offset and size",
  },
  {
    code: "MEM_ALIGN",
    reason: "the address is not proven to be a multiple of the size",
    suggestion: "align the offset, or access the bytes one by one",
  },
  {
    code: "MEM_READ_ONLY",
    reason: "the memory may only be read",
    suggestion: "copy the data to memory of your own and change the copy",
  },
  {
    code: "MEM_SPECIAL_FIELD",
    reason: "the bytes belong to a field that only its helpers may touch",
    suggestion: "leave the field out of plain loads, stores and helper buffers",
  },
  {
    code: "REG_UNINIT",
    reason: "the register holds nothing on this path",
    suggestion: "set it before: r0 to r5 hold nothing after a call, and a function gets only r1 to r5",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    text: /null-check it first/,
    reason: "the pointer may be NULL, so that an offset would hide it",
    suggestion: "compare the pointer with 0 before moving it",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    reason: "this operation on this kind of pointer has no meaning that can be checked",
    suggestion: "add or subtract numbers only, in 64 bits, on pointers that may move",
  },
  {
    code: "REG_POINTER_RANGE",
    reason: "the offset could leave the range in which addresses are exact",
    suggestion: "bound the number on both sides before adding it to the pointer",
  },
  {
    code: "REG_RETURN_RANGE",
    reason: "the result may lie outside of what this program type may return",
    suggestion: "set r0 to an allowed value on every path to the exit",
  },
  {
    code: "REF_LEAK",
    reason: "something that was acquired is not given back on this path",
    suggestion: "release it on every path, also where a later check fails",
  },
  {
    code: "REF_NOT_HELD",
    reason: "the pointer carries no reference that could be released",
    suggestion: "release what the acquiring call returned, once, after its null check",
  },
  {
    code: "REF_",
    reason: "locks and sections must be entered and left in pairs, in order",
    suggestion: "leave the section on every path, with the same object",
  },
  {
    code: "CALL_ARG_SIZE",
    reason: "the size argument is not bounded as the helper needs it",
    suggestion: "bound the size on both sides with compares, or mask it",
  },
  {
    code: "CALL_ARG_TYPE",
    reason: "the argument is of another type than the helper takes",
    suggestion: "pass one of the expected types",
  },
  {
    code: "CALL_ARG_NULL",
    reason: "the argument may be NULL",
    suggestion: "compare the pointer with 0 before the call",
  },
  {
    code: "CALL_HELPER_PROG",
    reason: "this program type does not offer the helper",
    suggestion: "use another helper, or another program type",
  },
  {
    code: "CALL_HELPER_LICENSE",
    reason: "the helper is open to GPL-compatible programs only",
    suggestion: "declare a GPL-compatible license",
  },
  {
    code: "CALL_GLOBAL",
    reason: "a global function is checked against its declared types alone",
    suggestion: "pass what the prototype declares, or make the function static",
  },
  {
    code: "LIMIT_LOOP",
    reason: "the loop comes back to a state it was in before",
    suggestion: "change a counter in each round and compare it with a limit",
  },
  {
    code: "LIMIT_INSNS",
    reason: "the walk did not end within a million instructions",
    suggestion: "bound loops more tightly, use bpf_loop, or move code to global functions",
  },
  {
    code: "LIMIT_STACK",
    reason: "the frames of this call chain need more than 512 bytes",
    suggestion: "keep large buffers in a map",
  },
  {
    code: "LIMIT_FRAMES",
    reason: "calls nest deeper than 8 frames; recursion always does",
    suggestion: "call from a flatter chain, or use a tail call",
  },
  {
    code: "CFG_UNREACHABLE",
    reason: "no path leads to this instruction",
    suggestion: "remove it",
  },
  {
    code: "CFG_FALL_THROUGH",
    reason: "the function can run past its last instruction",
    suggestion: "end the function with exit or an unconditional jump",
  },
  {
    code: "CFG_JUMP_RANGE",
    reason: "the jump leaves its function",
    suggestion: "jump inside the function, call to reach another",
  },
  {
    code: "ISA_",
    reason: "the instruction is not one that Linux 6.18 knows",
    suggestion: "check its encoding; unused fields must be zero",
  },
];

/** Finds reason and action for a refusal; the kernel's own words where nothing better is known. */
export function adviceFor(code: string, message: string): Advice {
  const rule = RULES.find(
    (one) => code.startsWith(one.code) && (one.text === undefined || one.text.test(message)),
  );
  return rule ?? { reason: message, suggestion: "change the program so that the checked condition holds" };
}
