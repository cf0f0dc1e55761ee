import type { Rule } from "./rule.ts";

/** Refusals of calls of helpers, of own functions and of whole programs; from special to general. */
export const CALL_RULES: readonly Rule[] = [
  {
    code: "CALL_TAIL_CALL_MAPS",
    reason: "paths reach this tail call with different program arrays, and the loader lacks CAP_PERFMON",
    suggestion: "write one tail call for each program array, or load with CAP_PERFMON",
  },
  {
    code: "CALL_RETURN_STACK",
    reason: "r0 holds an address in a frame of the stack, which a function may not return",
    suggestion: "return a number, and write results through a pointer that the caller passes",
  },
  {
    code: "CALL_ARG_SIZE",
    text: /zero-sized/,
    reason: "the size may be 0, which this call does not take",
    suggestion: "check that the size is 1 at least before the call",
  },
  {
    code: "CALL_ARG_SIZE",
    text: /negative/,
    reason: "the size may be negative",
    suggestion: "mask the size, or compare it unsigned with a limit",
  },
  {
    code: "CALL_ARG_SIZE",
    text: /unbounded/,
    reason: "nothing bounds the size from above",
    suggestion: "mask the size, or compare it unsigned with the buffer's size",
  },
  {
    code: "CALL_ARG_SIZE",
    reason: "the size argument is not bounded as the call needs it",
    suggestion: "bound the size on both sides with compares, or mask it",
  },
  {
    code: "CALL_ARG_CONST",
    reason: "the argument must have one value that is known before the program runs",
    suggestion: "pass a constant",
  },
  {
    code: "CALL_ARG_RANGE",
    reason: "the argument is not proven to lie in the range that the helper declares",
    suggestion: "compare the argument with both ends of the range before the call",
  },
  {
    code: "CALL_ARG_TYPE",
    text: /type=(\w*_or_null) expected/,
    reason: "the argument may be NULL",
    suggestion: "compare the pointer with 0 before the call",
  },
  {
    code: "CALL_ARG_TYPE",
    text: /type=scalar expected=(.*)/,
    reason: "the argument is a number where an address is needed: $1",
    suggestion: "pass a pointer of a kind that the call takes; one that was released or lost is a number",
  },
  {
    code: "CALL_ARG_TYPE",
    text: /expected=.*dynptr_ptr/,
    reason: "the argument must lead to a dynptr on the stack",
    suggestion: "keep the dynptr in a local variable and pass its address",
  },
  {
    code: "CALL_ARG_TYPE",
    text: /expected=fp, (.*)/,
    reason: "the argument is of another kind than the call takes: fp, $1",
    suggestion: "pass a pointer of one of these kinds, e.g. to a copy of the data on the stack",
  },
  {
    code: "CALL_ARG_TYPE",
    text: /expected=(.*)/,
    reason: "the argument is of another kind than the call takes: $1",
    suggestion: "pass what a call or a lookup gave of this kind",
  },
  {
    code: "CALL_ARG_TYPE",
    reason: "the argument is of another kind than the call takes",
    suggestion: "pass what the helper's signature names",
  },
  {
    code: "CALL_ARG_WRITE",
    reason: "the call may write to the memory, which may only be read",
    suggestion: "pass a buffer on the stack or in a map value that may be written",
  },
  {
    code: "CALL_ARG_NULL",
    reason: "the argument may be NULL",
    suggestion: "compare the pointer with 0 before the call",
  },
  {
    code: "CALL_ARG_PACKET",
    reason: "this helper takes no bytes of the packet",
    suggestion: "copy the bytes to the stack and pass the copy",
  },
  {
    code: "CALL_ARG_DYNPTR_DATA",
    reason: "dynptrs are made of map values alone",
    suggestion: "pass a pointer into a map value, after its null check",
  },
  {
    code: "CALL_ARG_DYNPTR",
    text: /uninitialized/,
    reason: "the call makes a dynptr, for which 16 bytes of the stack must be free",
    suggestion: "pass the address of 16 bytes at a multiple of 8, which hold no dynptr yet",
  },
  {
    code: "CALL_ARG_DYNPTR",
    text: /unacquired/,
    reason: "the dynptr holds nothing to give back here: it was never made, or given back already",
    suggestion: "submit or discard a dynptr once, after the call that reserved it",
  },
  {
    code: "CALL_ARG_DYNPTR",
    reason: "the argument does not lead to a dynptr of the kind that the call takes",
    suggestion: "pass the address of a dynptr on the stack that a call before has made",
  },
  {
    code: "CALL_ARG_ITER",
    text: /RCU CS/,
    reason: "this iterator works inside of an RCU read section",
    suggestion: "call bpf_rcu_read_lock before, and bpf_rcu_read_unlock behind the loop",
  },
  {
    code: "CALL_ARG_ITER",
    text: /uninitialized/,
    reason: "the call makes an iterator, and these bytes of the stack are not free",
    suggestion: "destroy the iterator before, or use other bytes",
  },
  {
    code: "CALL_ARG_ITER",
    reason: "the argument does not lead to an iterator that was made",
    suggestion: "make the iterator with its _new function, at a constant place of the stack, on every path",
  },
  {
    code: "CALL_ARG_KPTR",
    reason: "the argument does not lead to a field for kernel pointers",
    suggestion: "pass the address of a __kptr field of a map value, at its constant offset",
  },
  {
    code: "CALL_ARG_TIMER",
    reason: "the argument does not lead to a timer",
    suggestion:
      "declare a struct bpf_timer in the value's BTF type and pass its address at its constant offset",
  },
  {
    code: "CALL_ARG_STRING",
    reason: "the text must be known: it has to lie in a frozen map that programs only read, and end with 0",
    suggestion: "use a string literal, or a static const char array",
  },
  {
    code: "CALL_ARG_FLAGS",
    reason: "no flags are defined for this call",
    suggestion: "pass 0",
  },
  {
    code: "CALL_ARG_BTF",
    reason: "the pointer leads to another kernel struct than the call takes",
    suggestion: "pass a pointer to the struct that the message names",
  },
  {
    code: "CALL_ARG_REFS",
    reason: "two arguments carry references, and the call can release one",
    suggestion: "pass one object that was acquired",
  },
  {
    code: "CALL_MAP_MISMATCH",
    reason: "the timer lies in a value of another map than the one that is passed",
    suggestion: "pass the map in which the timer's value was looked up",
  },
  {
    code: "CALL_MAP_TYPE",
    text: /tail call/,
    reason: "tail calls go through a map of type prog_array",
    suggestion: "pass a map of type prog_array",
  },
  {
    code: "CALL_MAP_TYPE",
    reason: "this helper does not work on maps of this type",
    suggestion: "use a map of another type, or the helper that belongs to this one",
  },
  {
    code: "CALL_MAP_PROG",
    text: /^[Oo]nly one/,
    reason: "a program uses one map of this type",
    suggestion: "keep everything in one of them",
  },
  {
    code: "CALL_MAP_PROG",
    text: /CAP_PERFMON/,
    reason: "arenas are open to loaders with CAP_PERFMON only",
    suggestion: "load with CAP_BPF and CAP_PERFMON",
  },
  {
    code: "CALL_MAP_PROG",
    reason: "programs of this type may not use a map of this kind",
    suggestion: "use another map type or program type",
  },
  {
    code: "CALL_HELPER_UNKNOWN",
    reason: "Linux 6.18 has no helper of this number",
    suggestion: "check the number; `tsbpf helpers` lists those that exist, --plugin adds your own",
  },
  {
    code: "CALL_HELPER_PROG",
    text: /helper (\w+)#/,
    reason: "programs of this type may not call $1",
    suggestion: "use another helper, or another program type; `tsbpf helpers $1` says which",
  },
  {
    code: "CALL_HELPER_PROG",
    reason: "this program type does not offer the helper",
    suggestion: "use another helper, or another program type",
  },
  {
    code: "CALL_HELPER_LICENSE",
    reason: "the helper is open to GPL-compatible programs only",
    suggestion: 'declare a GPL-compatible license, e.g. "GPL"',
  },
  {
    code: "CALL_HELPER_TARGET",
    reason: "what the program is attached to does not let it call the helper",
    suggestion:
      "attach to a hook whose programs may sleep, or to a function that is known to be safe for the helper",
  },
  {
    code: "CALL_LSM_HOOK",
    text: /GPL compatible/,
    reason: "programs on hooks of security modules must be open to the GPL",
    suggestion: 'declare a GPL-compatible license, e.g. "GPL"',
  },
  {
    code: "CALL_LSM_HOOK",
    text: /not sleepable/,
    reason: "the kernel calls the hook where nothing may sleep",
    suggestion: "load the program as one that does not sleep (a section without .s)",
  },
  {
    code: "CALL_LSM_HOOK",
    reason: "Linux takes no programs on this hook",
    suggestion: "use another hook",
  },
  {
    code: "CALL_HELPER_SLEEP",
    text: /non-sleepable prog/,
    reason: "the helper may sleep, and this program may not",
    suggestion: "load the program as sleepable (a section ending in .s), or use a helper that does not sleep",
  },
  {
    code: "CALL_HELPER_SLEEP",
    reason: "the helper may sleep, and sleeping is not allowed inside of this section",
    suggestion: "leave the section before the call",
  },
  {
    code: "CALL_UNDER_LOCK",
    text: /global function/,
    reason: "a global function is walked alone, where nobody knows of the lock",
    suggestion: "make the function static, or unlock before",
  },
  {
    code: "CALL_UNDER_LOCK",
    reason: "nothing may be called while a spin lock is held but its unlock",
    suggestion: "do the call before the lock or after the unlock",
  },
  {
    code: "CALL_GLOBAL_SLEEP",
    reason: "the global function may sleep, and sleeping is not allowed here",
    suggestion: "leave the section before the call, or load the program as sleepable",
  },
  {
    code: "CALL_GLOBAL",
    reason:
      "a global function is checked against its declared types alone, and the arguments do not fit these",
    suggestion: "pass what the prototype declares, or make the function static",
  },
  {
    code: "CALL_FUNC_BTF",
    reason: "a parameter of the global function has a type that says too little of what is passed",
    suggestion: "declare numbers, pointers to structs of known size, or tag the argument; or make it static",
  },
  {
    code: "CALL_CALLBACK_RESULT",
    reason: "the callback may return something else than 0 to go on or 1 to stop",
    suggestion: "set r0 to 0 or 1 on every path to the callback's exit",
  },
  {
    code: "CALL_CALLBACK_MAP",
    reason: "maps of this type cannot be walked with a callback",
    suggestion: "use an array, hash or LRU map",
  },
  {
    code: "CALL_CALLBACK",
    text: /func_info/,
    reason: "a function can be referred to only where BTF describes the functions of the program",
    suggestion: "compile with -g, so that the object has BTF function records",
  },
  {
    code: "CALL_CALLBACK",
    reason: "only static functions may be called back",
    suggestion: "declare the callback static",
  },
  {
    code: "CALL_LD_ABS",
    reason: "packet loads of the old kind are for socket filters and traffic control",
    suggestion: "use data and data_end, or bpf_skb_load_bytes",
  },
  {
    code: "CALL_SLEEPABLE",
    text: /Syscall/,
    reason: "programs of type syscall always run where sleeping is allowed",
    suggestion: "load the program with the sleepable flag",
  },
  {
    code: "CALL_SLEEPABLE",
    reason: "the program is loaded as sleepable, and its type runs where sleeping is not allowed",
    suggestion: "load it without the sleepable flag (a section without .s)",
  },
  {
    code: "CALL_EXTENSION",
    text: /must provide btf_id|kernel functions/,
    reason: "an extension replaces a function of another BPF program, which is not known here",
    suggestion: "name the program and its function (--target OBJ[:FUNC])",
  },
  {
    code: "CALL_EXTENSION",
    reason: "the extension does not fit the function that it is to replace, or that cannot be replaced",
    suggestion: "give both one prototype, and make the function global in a program that may be extended",
  },
  {
    code: "CALL_STRUCT_OPS",
    text: /licen[cs]e/,
    reason: "the kernel calls such programs in the place of its own functions, under the GPL alone",
    suggestion: "state a licence that is compatible with the GPL",
  },
  {
    code: "CALL_STRUCT_OPS",
    reason:
      "the kernel does not let programs take the place of this member, or has no such struct of functions",
    suggestion: "name a struct that the kernel registers and a function of it that programs may be",
  },
  {
    code: "CALL_PRIVILEGE",
    reason: "programs that trace the kernel are open to loaders with CAP_PERFMON only",
    suggestion: "load with CAP_PERFMON",
  },
  {
    code: "CALL_EXCEPTION",
    reason:
      "the exception callback must be one global function that takes a number, which nobody calls directly",
    suggestion: "declare it so, and name it in one exception_callback tag of the main program",
  },
  {
    code: "CALL_THROW",
    reason: "an exception unwinds the stack, which a callback may not",
    suggestion: "return a value from the callback that ends the loop, and throw behind it",
  },
  {
    code: "CALL_FD_ARRAY",
    reason: "the wide load names a map by its place in a list that was not given",
    suggestion: "load the object with a loader that passes the list, or name the map itself",
  },
];
