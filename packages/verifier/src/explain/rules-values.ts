import type { Rule } from "./rule.ts";

/** Refusals of what registers hold and of references; from special to general. */
export const VALUE_RULES: readonly Rule[] = [
  {
    code: "REG_UNINIT",
    text: /R10/,
    reason: "the register is not readable here",
    suggestion: "use another register",
  },
  {
    code: "REG_UNINIT",
    text: /R0/,
    reason: "the register holds nothing on this path",
    suggestion: "set r0 before on every path; only a call's result sets it, and a tail call has none",
  },
  {
    code: "REG_UNINIT",
    text: /R[1-5]/,
    reason: "the register holds nothing on this path",
    suggestion:
      "set it before on every path: a call leaves nothing in r1 to r5, and a function finds there what its caller set",
  },
  {
    code: "REG_UNINIT",
    reason: "the register holds nothing on this path",
    suggestion:
      "set it before on every path: a function starts with its arguments in r1 to r5 and nothing else",
  },
  {
    code: "REG_NUMBER",
    reason: "there are registers r0 to r10",
    suggestion: "use one of these",
  },
  {
    code: "REG_FP_READ_ONLY",
    reason: "r10 is the frame pointer, which no instruction may change",
    suggestion: "copy r10 to another register and change the copy",
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
    code: "REG_POINTER_ARITHMETIC",
    text: /mixed signed bounds/,
    reason: "without CAP_PERFMON the number must be surely negative or surely not",
    suggestion: "mask the number or compare it with 0 before, or load with CAP_PERFMON",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    text: /prohibited for !root/,
    reason:
      "without CAP_PERFMON the pointer must stay within its memory on every path, speculative ones included",
    suggestion: "move the pointer by a constant or a masked number, or load with CAP_PERFMON",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    text: /null-check it first/,
    reason: "the pointer may be NULL, so that an offset would hide it",
    suggestion: "compare the pointer with 0 before moving it",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    text: /subtraction from stack pointer/,
    reason: "stack pointers move by additions only",
    suggestion: "add a negative number instead",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    text: /32-bit pointer arithmetic/,
    reason: "an operation of 32 bits would cut the upper half of the address off",
    suggestion: "use the 64-bit form of the instruction",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    text: /pointer (\+=|-=) pointer/,
    reason: "both operands are pointers, and what comes of them is no address",
    suggestion: "add numbers to pointers; two pointers are compared, or subtracted with CAP_PERFMON",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    text: /subtract pointer from scalar/,
    reason: "a number minus a pointer is no address",
    suggestion: "keep the pointer on the left side",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    text: /pointer arithmetic on (\S+) prohibited/,
    reason: "a pointer of kind $1 stays as it was given",
    suggestion: "leave the pointer as it is; move a copy of a pointer to packet, stack, context or map value",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    text: /bitwise|operator/,
    reason: "pointers are moved by adding and subtracting numbers, in no other way",
    suggestion: "compute the offset in a register of its own, then add it to the pointer",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    reason: "this operation on this kind of pointer has no meaning that can be checked",
    suggestion: "add or subtract numbers only, in 64 bits, on pointers that may move",
  },
  {
    code: "REG_POINTER_COMPARE",
    reason: "without CAP_PERFMON pointers are compared with 0 or packet pointers with data_end only",
    suggestion: "compare with 0, or load with CAP_PERFMON",
  },
  {
    code: "REG_POINTER_COPY",
    reason: "the move would keep part of a pointer",
    suggestion: "move pointers whole, with the 64-bit move",
  },
  {
    code: "REG_POINTER_RANGE",
    text: /unbounded min value/,
    reason: "the number may be negative without a limit",
    suggestion:
      "bound the number from below too: mask it, or compare it unsigned with a limit, before adding it",
  },
  {
    code: "REG_POINTER_RANGE",
    reason: "the offset could leave the 2^29 bytes around the pointer in which addresses are exact",
    suggestion: "keep the offset small: bound the number on both sides before adding it",
  },
  {
    code: "REG_OFFSET_FIXED",
    reason: "the pointer was moved, and this kind must be used where it was given",
    suggestion: "use the pointer unmoved, and put the offset into the load or store",
  },
  {
    code: "REG_OFFSET_VARIABLE",
    reason:
      "the pointer was moved by a number that is not known, and this kind must be used where it was given",
    suggestion:
      "use the pointer unmoved, with a constant offset in the load or store; branch for each offset",
  },
  {
    code: "REG_OFFSET_NEGATIVE",
    reason: "the pointer was moved in front of what it was given for",
    suggestion: "use the pointer unmoved",
  },
  {
    code: "REG_OFFSET_RELEASE",
    reason: "what gives an object back takes the pointer that its acquiring call returned",
    suggestion: "pass the pointer unmoved",
  },
  {
    code: "REG_SHIFT",
    reason: "a shift by the operand's width or more has no defined result",
    suggestion: "shift by 0..31 in 32 bits, 0..63 in 64 bits",
  },
  {
    code: "REG_DIV_ZERO",
    reason: "the divisor is the constant 0",
    suggestion: "divide by another constant, or by a register: at run time a division by 0 gives 0",
  },
  {
    code: "REG_RETURN_RANGE",
    text: /should have been in (\[.*\])/,
    reason: "the result may lie outside of $1",
    suggestion: "set r0 to an allowed value on every path to the exit",
  },
  {
    code: "REG_RETURN_RANGE",
    reason: "the result may lie outside of what may be returned here",
    suggestion: "set r0 to an allowed value on every path to the exit",
  },
  {
    code: "REG_RETURN_TYPE",
    reason: "r0 holds a pointer where a number is to be returned",
    suggestion: "set r0 to a number before the exit",
  },
  {
    code: "REG_LEAK",
    text: /return value/,
    reason: "r0 holds an address, which only loaders with CAP_PERFMON may hand out",
    suggestion: "set r0 to a number before the exit, or load with CAP_PERFMON",
  },
  {
    code: "REG_LEAK",
    reason: "an address of the kernel would become visible, which only loaders with CAP_PERFMON may do",
    suggestion: "store and compare numbers only, or load with CAP_PERFMON",
  },
  {
    code: "REG_LD_ABS_CTX",
    reason: "packet loads of the old kind take the context from r6",
    suggestion: "copy r1 to r6 at the start and keep it there",
  },
  {
    code: "REG_MAP_FD",
    reason: "the wide load names a map that the loader did not make",
    suggestion: "declare the map, so that the loader puts its descriptor in",
  },
  {
    code: "REG_KSYM",
    reason: "the wide load names a kernel variable that is not known",
    suggestion: "declare the variable weak and compare its address with 0, or use another kernel",
  },
  {
    code: "REG_ADDR_CAST",
    reason: "casts between address spaces are for programs with an arena, between its two spaces",
    suggestion: "declare an arena map and cast pointers into it only",
  },
  {
    code: "REF_LEAK",
    reason: "something that was acquired is not given back on this path",
    suggestion: "release it on every path, also where a later check fails",
  },
  {
    code: "REF_REGION",
    text: /(bpf_\w+)-ed/,
    reason: "the section that $1 began is still open on this path",
    suggestion: "leave the section on every path before this instruction",
  },
  {
    code: "REF_NOT_HELD",
    reason: "the pointer carries no reference that could be released",
    suggestion: "release what the acquiring call returned, once, after its null check",
  },
  {
    code: "REF_NOT_ACQUIRED",
    reason: "nothing was acquired that this call could release",
    suggestion: "release once what an acquiring call returned",
  },
  {
    code: "REF_LOCK",
    text: /rbtree cb/,
    reason: "the lock must stay held while a tree's callback compares nodes",
    suggestion: "compare the nodes and nothing else in the callback",
  },
  {
    code: "REF_LOCK",
    text: /without taking/,
    reason: "no lock is held on this path",
    suggestion: "take the lock before on every path",
  },
  {
    code: "REF_LOCK",
    text: /different lock|out of order/,
    reason: "the lock that is given back is not the one that was taken last",
    suggestion: "unlock the very pointer that was locked, last taken first; look a value up once",
  },
  {
    code: "REF_LOCK",
    text: /two bpf_spin_locks|AA deadlock/,
    reason: "a lock is already held on this path",
    suggestion: "unlock the first one before",
  },
  {
    code: "REF_LOCK",
    reason: "the pointer does not lead to the lock of a map value or object",
    suggestion:
      "declare a struct bpf_spin_lock in the value's BTF type and pass its address at its constant offset",
  },
  {
    code: "REF_IRQ",
    reason: "saving and restoring interrupts pair by a flag on the stack, last saved first restored",
    suggestion: "restore with the flag of the save that came last",
  },
  {
    code: "REF_",
    reason: "locks and sections must be entered and left in pairs, in order",
    suggestion: "leave the section on every path, with the same object",
  },
];
