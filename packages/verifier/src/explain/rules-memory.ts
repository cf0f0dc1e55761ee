import type { Rule } from "./rule.ts";

/** Refusals of loads, stores and memory behind arguments; from special to general. */
export const MEMORY_RULES: readonly Rule[] = [
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
      "derive the pointer anew here: it was computed from numbers, released, or lost when a call changed the packet, or use bpf_probe_read_kernel/_user",
  },
  {
    code: "MEM_BASE",
    text: /'pkt_end'/,
    reason: "data_end may be compared with and not be read through",
    suggestion: "access the packet through data, after a compare with data_end",
  },
  {
    code: "MEM_BASE",
    text: /'map_ptr'/,
    reason: "the register holds the map itself, not one of its values",
    suggestion: "look the value up with bpf_map_lookup_elem and access what it returns",
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
    code: "MEM_PACKET_WRITE",
    reason: "this program type may read the packet and not write it",
    suggestion: "copy the bytes to the stack and change the copy, or use a program type that may write",
  },
  {
    code: "MEM_BOUNDS",
    text: /min value/,
    reason: "the access leaves the memory behind the pointer even where the offset is least",
    suggestion: "keep offset >= 0 and offset + size within the memory; check the number before adding it",
  },
  {
    code: "MEM_BOUNDS",
    reason: "the access leaves the memory behind the pointer where the offset is greatest",
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
    suggestion: "use an unsigned offset, mask it, or check that it is not below 0",
  },
  {
    code: "MEM_STACK_BOUNDS",
    text: /unbounded/,
    reason: "nothing bounds the offset into the stack",
    suggestion: "mask the offset before adding it to a stack pointer",
  },
  {
    code: "MEM_STACK_BOUNDS",
    text: /read from stack R\d+ off=-(\d\d?|[1-4]\d\d|50\d|51[0-2]) /,
    reason: "these bytes of the stack were never written on this path",
    suggestion: "write all of the bytes before they are read; they end below the frame pointer",
  },
  {
    code: "MEM_STACK_BOUNDS",
    reason: "the access leaves the 512 bytes below the frame pointer",
    suggestion: "keep offsets between -512 and -size: the last byte lies below the frame pointer too",
  },
  {
    code: "MEM_STACK_UNINIT",
    reason: "these bytes of the stack were never written on this path, or hold an object",
    suggestion: "write all of the bytes first, padding included",
  },
  {
    code: "MEM_STACK_SPILL_FRAME",
    reason: "the pointer leads to this function's frame, which is gone when the caller looks at it",
    suggestion: "keep the buffer in the caller's frame and pass its address down",
  },
  {
    code: "MEM_STACK_SPILL_SIZE",
    reason: "a pointer is stored in parts, which nothing could put together again",
    suggestion: "store the pointer with 8 bytes, at an offset that 8 divides",
  },
  {
    code: "MEM_STACK_FILL_SIZE",
    reason: "the slot holds a pointer, and only part of it is loaded",
    suggestion: "load all 8 bytes of the slot",
  },
  {
    code: "MEM_STACK_CORRUPT",
    reason: "the store would change some bytes of a pointer that lies on the stack",
    suggestion: "overwrite all 8 bytes of the slot, or use other bytes of the stack",
  },
  {
    code: "MEM_STACK_VARIABLE",
    reason: "without CAP_PERFMON the offset into the stack must be known",
    suggestion: "use a constant offset, keep the array in a map, or load with CAP_PERFMON",
  },
  {
    code: "MEM_STACK_DYNPTR",
    reason: "the bytes may hold a dynptr, which only its helpers change",
    suggestion: "let the buffer be other bytes of the stack than the dynptr",
  },
  {
    code: "MEM_DYNPTR_OVERWRITE",
    reason: "the bytes hold a dynptr that owns something, which would be lost",
    suggestion: "submit or discard the dynptr before its bytes are used otherwise",
  },
  {
    code: "MEM_STACK_ZERO_SIZE",
    reason: "no bytes are asked for",
    suggestion: "let the size be 1 at least",
  },
  {
    code: "MEM_CTX_ACCESS",
    reason: "this program type may not access the context at this offset with this size",
    suggestion: "access a field that the type offers, at its own offset and size; many may only be read",
  },
  {
    code: "MEM_ALIGN",
    reason: "the address is not proven to be a multiple of the size",
    suggestion: "align the offset, or access the bytes one by one",
  },
  {
    code: "MEM_READ_ONLY",
    text: /only read/,
    reason: "the kernel's own structs may only be read",
    suggestion: "change what it describes through helpers, e.g. a map through bpf_map_update_elem",
  },
  {
    code: "MEM_READ_ONLY",
    reason: "the memory may only be read",
    suggestion: "copy the data to memory of your own and change the copy",
  },
  {
    code: "MEM_MAP_FLAGS",
    text: /write into map/,
    reason: "the map's flags (BPF_F_RDONLY_PROG) let programs read and not write",
    suggestion: "create the map without the flag, or write to another one",
  },
  {
    code: "MEM_MAP_FLAGS",
    reason: "the map's flags (BPF_F_WRONLY_PROG) let programs write and not read",
    suggestion: "create the map without the flag, or read from another one",
  },
  {
    code: "MEM_DIRECT_VALUE",
    text: /map type/,
    reason: "only values of arrays and arenas have an address that a program can hold",
    suggestion: "look the value up with bpf_map_lookup_elem",
  },
  {
    code: "MEM_DIRECT_VALUE",
    reason: "the offset of the address lies outside of the map's value",
    suggestion: "keep the offset below the map's value size",
  },
  {
    code: "MEM_SPECIAL_FIELD",
    reason: "the bytes belong to a field that only its helpers may touch",
    suggestion: "leave the field out of plain loads, stores and helper buffers",
  },
  {
    code: "MEM_KPTR",
    text: /indirectly|variable/,
    reason: "the bytes hold a kernel pointer, which must be accessed alone, at a known place",
    suggestion: "access the field itself with 8 bytes, at a constant offset",
  },
  {
    code: "MEM_KPTR",
    text: /store to (referenced|uptr)/,
    reason: "a plain store would lose the object that the field owns",
    suggestion: "exchange the pointer with bpf_kptr_xchg",
  },
  {
    code: "MEM_KPTR",
    reason: "the field takes a pointer to one struct alone, or 0",
    suggestion: "store 0 or a pointer of the field's own type, with 8 bytes",
  },
  {
    code: "MEM_ATOMIC_BASE",
    reason: "atomic operations work on the stack and in map values",
    suggestion: "keep the number in a map value, or use a plain load and store",
  },
  {
    code: "MEM_ATOMIC_SIZE",
    reason: "atomic operations take 4 or 8 bytes",
    suggestion: "use a 32- or 64-bit number",
  },
  {
    code: "MEM_MIXED_POINTERS",
    reason:
      "paths reach this instruction with pointers of different kinds, which are accessed in different ways",
    suggestion: "repeat the access on each path",
  },
  {
    code: "MEM_BTF_LICENSE",
    reason: "kernel structs are open to GPL-compatible programs only",
    suggestion: 'declare a GPL-compatible license, e.g. "GPL"',
  },
  {
    code: "MEM_BTF_UNKNOWN",
    reason: "nothing is known of what the struct holds there",
    suggestion: "give the kernel's types (--kernel-btf), or read a field that the struct surely has",
  },
  {
    code: "MEM_BTF",
    text: /CAP_PERFMON/,
    reason: "fields of kernel structs are open to loaders with CAP_PERFMON only",
    suggestion: "load with CAP_PERFMON, or use a helper that gives the value",
  },
  {
    code: "MEM_BTF",
    text: /or_null|untrusted|may be NULL/i,
    reason: "the pointer may be NULL or no longer valid here",
    suggestion: "compare it with 0 first, or use a pointer that is still trusted",
  },
  {
    code: "MEM_BTF",
    reason: "the struct has no field that may be accessed at this offset with this size",
    suggestion: "access a field at its own offset and size; use bpf_probe_read_kernel for what is left",
  },
  {
    code: "MEM_SOCK_FIELD",
    reason: "sockets may be read at some fields alone",
    suggestion: "read a field of struct bpf_sock at its own offset and size",
  },
  {
    code: "MEM_FLOW_KEYS",
    reason: "the access leaves struct bpf_flow_keys",
    suggestion: "access its fields at their own offsets",
  },
  {
    code: "MEM_BUFFER",
    reason: "buffers of the kernel are accessed at constant offsets that are not negative",
    suggestion: "use a constant offset, 0 at least, within the buffer",
  },
  {
    code: "MEM_ARENA",
    reason: "loads that extend the sign are not made for arenas",
    suggestion: "load without sign and extend the value with shifts",
  },
];
