import { assemble, printInsn, printListing } from "@tsbpf/asm";

const prog = assemble(`
    r0 = 2                    ; XDP_PASS
    r1 = map[counts] ll
    if r1 == 0 goto out
    lock add [%r1+0], %r0     ; mnemonics mix in
out:
    exit
`);
prog.mapRefs; // [{ slot: 1, name: "counts" }]
printInsn(prog.insns, 4, { syntax: "llvm" }); // "lock *(u64 *)(r1 + 0x0) += r0"
printListing(prog.insns); // "   0: (b7) r0 = 2\n   1: (18) r1 = map[id:0]\n…"
