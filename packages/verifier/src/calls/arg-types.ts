import type { ArgKind, ArgSpec } from "@tsbpf/abi";
import { leadsTo } from "../btf/target-struct.ts";
import type { Env } from "../env.ts";
import { regTypeName, typeName } from "../log/print-reg.ts";
import { reject } from "../reject.ts";
import { FLAG, isMaybeNull, REG, type Reg, type RegBase } from "../state/reg.ts";
import { HELPER_ID } from "./call-kinds.ts";

interface Accepted {
  readonly type: RegBase;
  readonly flags: number;
}
const plain = (type: RegBase): Accepted => ({ type, flags: 0 });
const flagged = (type: RegBase, flags: number): Accepted => ({ type, flags });

const MEMORY: readonly Accepted[] = [
  plain(REG.stack),
  plain(REG.pkt),
  plain(REG.pktMeta),
  plain(REG.mapKey),
  plain(REG.mapValue),
  plain(REG.mem),
  flagged(REG.mem, FLAG.ringbuf),
  plain(REG.buf),
  flagged(REG.btfId, FLAG.trusted),
];
const SCALAR = [plain(REG.scalar)];

/** Register types that each kind of argument takes, in the kernel's order (H-21). */
const ACCEPTED: Readonly<Record<Exclude<ArgKind, "scalar">, readonly Accepted[]>> = {
  ctx: [plain(REG.ctx)],
  map: [plain(REG.mapPtr)],
  map_key: MEMORY,
  map_value: MEMORY,
  mem: MEMORY,
  size: SCALAR,
  alloc_size: SCALAR,
  const_str: [plain(REG.mapValue)],
  func: [plain(REG.func)],
  callback_ctx: [plain(REG.stack)],
  spin_lock: [plain(REG.mapValue), flagged(REG.btfId, FLAG.alloc)],
  timer: [plain(REG.mapValue)],
  dynptr: [plain(REG.stack), plain(REG.dynptr)],
  kptr: [plain(REG.mapValue), flagged(REG.btfId, FLAG.alloc)],
  ringbuf_mem: [flagged(REG.mem, FLAG.ringbuf)],
  btf_id: [plain(REG.btfId), flagged(REG.btfId, FLAG.trusted), flagged(REG.btfId, FLAG.rcu)],
  btf_id_sock_common: [
    plain(REG.sockCommon),
    plain(REG.sock),
    plain(REG.tcpSock),
    plain(REG.xdpSock),
    plain(REG.btfId),
    flagged(REG.btfId, FLAG.trusted),
  ],
  sock_common: [plain(REG.sockCommon), plain(REG.sock), plain(REG.tcpSock), plain(REG.xdpSock)],
  socket: [plain(REG.sock)],
  percpu_btf_id: [
    flagged(REG.btfId, FLAG.percpu),
    flagged(REG.btfId, FLAG.percpu | FLAG.rcu),
    flagged(REG.btfId, FLAG.percpu | FLAG.trusted),
  ],
};

/** Whether an argument only reads what it points to, so that read-only memory will do. */
const isReadOnlyArg = (arg: ArgSpec): boolean => arg.kind === "mem" && arg.access === "read";

/** Checks the type of a pointer or size argument (H-21, H-22, H-24). */
export function checkArgType(
  env: Env,
  call: { readonly id: number; readonly name: string },
  arg: ArgSpec,
  reg: Reg,
  regno: number,
): void {
  if (arg.kind === "scalar") return;
  const accepted = ACCEPTED[arg.kind];
  let flags = reg.flags;
  if (isReadOnlyArg(arg)) flags &= ~FLAG.rdonly;
  if (arg.nullable === true) flags &= ~FLAG.maybeNull;
  if (call.id === HELPER_ID.kptrXchg && regno === 2) flags &= ~(FLAG.alloc | FLAG.percpu);
  const hit = accepted.find((one) => one.type === reg.type && one.flags === flags);
  if (hit === undefined) {
    // A typed pointer that may be NULL is refused with words of its own.
    const isKnownBtf =
      reg.type === REG.btfId &&
      isMaybeNull(reg) &&
      accepted.some((one) => one.type === REG.btfId && one.flags === (flags & ~FLAG.maybeNull));
    if (isKnownBtf) {
      reject(env, "CALL_ARG_NULL", "EACCES", `Possibly NULL pointer passed to helper arg${regno}`);
    }
    const names = accepted.map((one) => typeName(one.type, one.flags)).join(", ");
    reject(env, "CALL_ARG_TYPE", "EACCES", `R${regno} type=${regTypeName(reg)} expected=${names}`);
  }
  if (reg.type !== REG.btfId) return;
  // What is given away must be checked before, though NULL itself may be given.
  if (call.id === HELPER_ID.kptrXchg && regno === 2 && isMaybeNull(reg)) {
    reject(env, "CALL_ARG_NULL", "EACCES", `Possibly NULL pointer passed to helper arg${regno}`);
  }
  if (accepted === MEMORY) {
    if (isReadOnlyArg(arg)) return;
    reject(
      env,
      "CALL_ARG_WRITE",
      "EACCES",
      `${call.name}() may write into memory pointed by R${regno} type=${regTypeName(reg)}`,
    );
  }
  const wanted = arg.btfTypes;
  const name = reg.x.btf?.name ?? "";
  if (wanted === undefined || wanted.length === 0) return;
  const target = reg.x.btf ?? { name, isKernel: true, typeId: 0 };
  // What a helper gives back must be the very type it took; sk_release takes every socket.
  const isStrict = arg.releases === true && call.id !== HELPER_ID.skReleaseFirst;
  const isFit = (one: string): boolean =>
    isStrict ? name === one && reg.off === 0 : leadsTo(env, target, reg.off, one);
  if (wanted.some(isFit)) return;
  reject(env, "CALL_ARG_BTF", "EACCES", `R${regno} is of type ${name} but ${wanted[0]} is expected`);
}
