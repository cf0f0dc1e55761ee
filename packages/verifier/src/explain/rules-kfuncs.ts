import type { Rule } from "./rule.ts";

/** Refusals of calls of kernel functions; from special to general. */
export const KFUNC_RULES: readonly Rule[] = [
  {
    code: "CALL_GRAPH",
    text: /must be held/,
    reason: "lists and trees are changed under the spin lock that lies beside them",
    suggestion: "take the lock of the same value before the call",
  },
  {
    code: "CALL_GRAPH",
    text: /non-owning or refcounted/,
    reason: "the pointer was lost: what lies in a list or tree may be used under its lock alone",
    suggestion: "look the node up again after taking the lock",
  },
  {
    code: "CALL_GRAPH",
    text: /not allowed in rbtree cb/,
    reason: "the tree may not change while its callback compares nodes",
    suggestion: "compare the nodes and nothing else in the callback",
  },
  {
    code: "CALL_GRAPH",
    text: /allocated object/,
    reason: "a node can be put into one list or tree once, which then owns it",
    suggestion: "pass the node of an object that bpf_obj_new made and nothing took yet, after its null check",
  },
  {
    code: "CALL_GRAPH",
    reason: "the argument is not the list, tree or node that the call takes",
    suggestion: "pass a root of a map value, and a node of the type and field that its contains tag names",
  },
  {
    code: "CALL_KFUNC_ID",
    reason: "the kernel function is not known: Linux 6.18 has none of this name, or not for programs",
    suggestion: "check the name, or declare it weak (__ksym __weak) and test it before the call",
  },
  {
    code: "CALL_KFUNC_LICENSE",
    reason: "kernel functions are open to GPL-compatible programs only",
    suggestion: 'declare a GPL-compatible license, e.g. "GPL"',
  },
  {
    code: "CALL_KFUNC_DEVICE",
    reason:
      "the function reads what a device says of a packet, so that the program must belong to one device",
    suggestion: "load the program bound to the device (BPF_F_XDP_DEV_BOUND_ONLY)",
  },
  {
    code: "CALL_KFUNC_ARG",
    text: /may be NULL|Possibly NULL/i,
    reason: "the argument may be NULL",
    suggestion: "compare the pointer with 0 before the call",
  },
  {
    code: "CALL_KFUNC_ARG",
    text: /must be referenced/i,
    reason: "the function releases an object, and the pointer carries no reference to one",
    suggestion: "pass what the acquiring call returned, once",
  },
  {
    code: "CALL_KFUNC_ARG",
    text: /trusted|rcu/i,
    reason: "the kernel does not vouch that the object is still there",
    suggestion: "acquire a reference, or hold the RCU read section in which the pointer was read",
  },
  {
    code: "CALL_KFUNC_ARG",
    text: /pointer type STRUCT (\w+) must point/,
    reason: "the argument is no pointer that the kernel gave to its struct $1",
    suggestion:
      "pass the pointer itself, as an argument or an acquiring call gave it, not the address of a copy",
  },
  {
    code: "CALL_KFUNC_ARG",
    text: /pointer to STRUCT (\w+) but R\d has a pointer to STRUCT (\w+)/,
    reason: "the function takes struct $1, and the pointer leads to struct $2",
    suggestion: "pass a pointer to struct $1",
  },
  {
    code: "CALL_KFUNC_ARG",
    text: /expects refcounted/,
    reason: "the function releases an object, and the pointer carries no reference to one",
    suggestion: "pass what the acquiring call returned, once",
  },
  {
    code: "CALL_KFUNC_ARG",
    reason: "the argument is not what the kernel function's signature takes",
    suggestion: "pass what the signature names; a constant where it says so (__k)",
  },
  {
    code: "CALL_KFUNC_RESULT",
    reason: "what the function returns has no type that could be followed",
    suggestion: "use another function, or a type of the program's own where one is to be named",
  },
  {
    code: "CALL_KFUNC",
    text: /unmatched|nested|region|preempt|rcu/,
    reason: "sections are entered and left in pairs, and some calls are not allowed inside of them",
    suggestion: "enter the section once before, and leave it once behind",
  },
  {
    code: "CALL_KFUNC",
    text: /sleep/,
    reason: "the function may sleep, and this program may not",
    suggestion:
      "load the program as sleepable (a section ending in .s), or use a function that does not sleep",
  },
  {
    code: "CALL_KFUNC",
    text: /calling kernel function (\w+) is not allowed/,
    reason: "programs of this type may not call $1",
    suggestion: "use another function, or another program type",
  },
  {
    code: "CALL_KFUNC",
    reason: "this kernel function may not be called here",
    suggestion: "use another function, or another program type",
  },
];
