import { MAP_TYPES } from "@tsbpf/abi";
import { LIMITS } from "@tsbpf/base";
import type { Insn } from "@tsbpf/isa";
import { checkMapForProg } from "../access/map-prog.ts";
import type { Env } from "../env.ts";
import type { MapInfo } from "../maps.ts";
import { reject } from "../reject.ts";
import { KNOWN_OPCODES } from "./opcodes.ts";

const LD_IMM64 = 0x18;
const MAX_VAR_OFF = 2 ** 29;

/** Types of which a program may use one map alone, and what Linux says of a second one. */
const ALONE: readonly (readonly [type: string, text: string])[] = [
  ["cgroup_storage", "only one cgroup storage of each type is allowed"],
  ["percpu_cgroup_storage", "only one cgroup storage of each type is allowed"],
  ["arena", "Only one arena per program"],
];

/** Maps of the wide loads, and those that were named already. */
interface MapUse {
  readonly idxOfSlot: ReadonlyMap<number, number>;
  readonly used: Set<MapInfo>;
}

/** Counts a map that the program names. */
function useMap(env: Env, map: MapInfo, used: Set<MapInfo>): void {
  if (used.has(map)) return;
  if (used.size >= LIMITS.usedMaps) {
    const text = `The total number of maps per program has reached the limit of ${LIMITS.usedMaps}`;
    reject(env, "LIMIT_MAPS", "E2BIG", text);
  }
  checkMapForProg(env, map);
  const { type } = map.spec;
  const alone = ALONE.find(([one]) => one === type);
  if (alone !== undefined && [...used].some((one) => one.spec.type === type)) {
    reject(env, "CALL_MAP_PROG", "EBUSY", alone[1]);
  }
  used.add(map);
}

/** Checks opcodes and wide loads in order of the code, and binds wide loads to maps (A-1, A-87, C-3..C-5). */
export function resolveWideLoads(env: Env): void {
  const idxOfSlot = new Map(env.spec.mapRefs.map((ref) => [ref.slot, ref.mapIdx]));
  const used = new Set<MapInfo>();
  for (let slot = 0; slot < env.len; slot++) {
    const insn = env.insns[slot] as Insn;
    env.insnIdx = slot;
    if ((insn.op & 0x07) === 0x01 && (isReservedLoadMode(insn.op) || insn.imm !== 0)) {
      reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_LDX uses reserved fields");
    }
    if (insn.op === LD_IMM64) {
      resolveOne(env, slot, insn, { idxOfSlot, used });
      slot++;
      continue;
    }
    if (KNOWN_OPCODES[insn.op] !== true) {
      reject(env, "ISA_UNKNOWN_OPCODE", "EINVAL", `unknown opcode ${insn.op.toString(16).padStart(2, "0")}`);
    }
  }
}

const isReservedLoadMode = (op: number): boolean => (op & 0xe0) !== 0x60 && (op & 0xe0) !== 0x80;

function resolveOne(env: Env, slot: number, insn: Insn, { idxOfSlot, used }: MapUse): void {
  const second = env.insns[slot + 1];
  if (second === undefined || second.op !== 0 || second.dst !== 0 || second.src !== 0 || second.off !== 0) {
    reject(env, "ISA_WIDE_SECOND_SLOT", "EINVAL", "invalid bpf_ld_imm64 insn");
  }
  if (insn.src === 0 || insn.src === 3 || insn.src === 4) return;
  const isValue = insn.src === 2 || insn.src === 6;
  const isMap = insn.src === 1 || insn.src === 5;
  if (!isValue && !(isMap && second.imm === 0)) {
    reject(env, "ISA_WIDE_KIND", "EINVAL", "unrecognized bpf_ld_imm64 insn");
  }
  const idx = idxOfSlot.get(slot);
  const map = idx === undefined ? undefined : env.maps[idx];
  if (map === undefined || idx === undefined) {
    if (insn.src >= 5) reject(env, "CALL_FD_ARRAY", "EPROTO", "fd_idx without fd_array is invalid");
    // The descriptors of a process that are open and no map: its standard streams.
    const errno = insn.imm >= 0 && insn.imm <= 2 ? "EINVAL" : "EBADF";
    reject(env, "REG_MAP_FD", errno, `fd ${insn.imm} is not pointing to valid bpf_map`);
  }
  useMap(env, map, used);
  env.mapOfSlot[slot] = idx;
  if (!isValue) return;
  const off = second.imm >>> 0;
  if (off >= MAX_VAR_OFF) {
    reject(env, "MEM_DIRECT_VALUE", "EINVAL", `direct value offset of ${off} is not allowed`);
  }
  const hasValues = map.type === MAP_TYPES.array || map.type === MAP_TYPES.arena;
  if (!hasValues) {
    reject(env, "MEM_DIRECT_VALUE", "EINVAL", "no direct value access support for this map type");
  }
  const isSingle = map.type === MAP_TYPES.arena || map.maxEntries === 1;
  if (isSingle && (map.type === MAP_TYPES.arena || off < map.valueBytes)) return;
  reject(
    env,
    "MEM_DIRECT_VALUE",
    isSingle ? "EINVAL" : "ENOTSUPP",
    `invalid access to map value pointer, value_size=${map.valueBytes} off=${off}`,
  );
}
