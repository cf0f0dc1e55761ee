import type { Env } from "../env.ts";
import { regTypeName } from "../log/print-reg.ts";
import { reject } from "../reject.ts";
import { REG } from "../state/reg.ts";
import { type Access, NEGATIVE_TEXT } from "./sized.ts";

/** How far a field of struct bpf_sock may be read with fewer than its four bytes. */
type Narrow = "no" | "from its start" | "anywhere";

/** Fields of struct bpf_sock by their offset (A-48; only parts of addresses lie beyond a start). */
const SOCK_FIELDS: ReadonlyMap<number, Narrow> = new Map([
  [0, "no"],
  [4, "from its start"],
  [8, "from its start"],
  [12, "from its start"],
  [16, "no"],
  [20, "no"],
  [24, "anywhere"],
  [28, "anywhere"],
  [32, "anywhere"],
  [36, "anywhere"],
  [40, "anywhere"],
  [44, "from its start"],
  [52, "anywhere"],
  [56, "anywhere"],
  [60, "anywhere"],
  [64, "anywhere"],
  [68, "anywhere"],
  [72, "from its start"],
  [76, "from its start"],
]);
const SOCK_BYTES = 80;
const DST_PORT = 48;
const TCP_SOCK_BYTES = 112;
const TCP_WIDE: ReadonlySet<number> = new Set([80, 88]);

function isSockFieldFine(off: number, size: number): boolean {
  if (off < 0 || off + size > SOCK_BYTES || off % size !== 0) return false;
  if (off >= DST_PORT && off < DST_PORT + 4) {
    if (off === DST_PORT && size === 4) return true;
    return off + size <= DST_PORT + 2;
  }
  const field = off - (off % 4);
  const narrow = SOCK_FIELDS.get(field);
  if (narrow === undefined || size > 4) return false;
  if (size === 4) return off === field;
  return narrow === "anywhere" || (narrow === "from its start" && off === field);
}

function isFine(access: Access): boolean {
  const { reg, off, size } = access;
  if (reg.type === REG.tcpSock) {
    if (off < 0 || off + size > TCP_SOCK_BYTES || off % size !== 0) return false;
    const isWide = TCP_WIDE.has(off);
    return isWide ? size === 8 : size === 4 && !TCP_WIDE.has(off - 4);
  }
  if (reg.type === REG.xdpSock) return off === 0 && size === 4;
  if (!isSockFieldFine(off, size)) return false;
  if (reg.type === REG.sockCommon) return !(off >= 8 && off < 24);
  return true;
}

/** Checks a load through a socket pointer; stores are refused. */
export function checkSock(env: Env, access: Access): void {
  const { reg, regno, off, size } = access;
  if (access.isWrite) {
    reject(env, "MEM_READ_ONLY", "EACCES", `R${regno} cannot write into ${regTypeName(reg)}`);
  }
  if (reg.val.smin < 0n) reject(env, "MEM_NEGATIVE", "EACCES", `R${regno} ${NEGATIVE_TEXT}`);
  if (isFine(access)) return;
  reject(
    env,
    "MEM_SOCK_FIELD",
    "EACCES",
    `R${regno} invalid ${regTypeName(reg)} access off=${off} size=${size}`,
  );
}
