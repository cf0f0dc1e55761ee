import {
  type ArgSpec,
  type HelperProto,
  helpersOf,
  isMapAllowedForHelper,
  type MapSpec,
  type ProgTypeName,
  protoFor,
} from "@tsbpf/abi";
import { type Draft, helper, plain, wideDraft } from "./draft.ts";
import type { Random } from "./random.ts";

const FP = 10;
const CTX = 6;
/** Bytes of the frame that programs which keep the rules use, all of them written. */
export const FRAME_BYTES = 64;
const TAIL_CALL = 12;
const BPF_LOOP = 181;

/** What a call may use. */
export interface CallScope {
  readonly random: Random;
  readonly maps: readonly MapSpec[];
  readonly progType: ProgTypeName;
  /** Whether the call keeps its helper's contract. */
  readonly isSafe: boolean;
  readonly funcCount: number;
  /** Whether r6 holds the context. */
  readonly hasContext: boolean;
}

const SAFE_KINDS: ReadonlySet<string> = new Set([
  "scalar",
  "ctx",
  "map",
  "map_key",
  "map_value",
  "mem",
  "size",
]);
const choices = new Map<string, readonly HelperProto[]>();

/** The helpers that a program type may call, without those that need more than arguments. */
function protosFor({ progType, isSafe }: CallScope): readonly HelperProto[] {
  const key = `${progType} ${isSafe}`;
  const known = choices.get(key);
  if (known !== undefined) return known;
  const found = [...(helpersOf(progType, 0) ?? [])]
    .filter((id) => id !== TAIL_CALL && id !== BPF_LOOP)
    .flatMap((id) => protoFor(id, progType) ?? [])
    .filter((proto) => !isSafe || isPlain(proto));
  choices.set(key, found);
  return found;
}

/** Whether a program can keep a helper's contract with numbers, its context, its frame and its maps. */
const isPlain = ({ args, ret, callsBack }: HelperProto): boolean =>
  !callsBack &&
  ret.acquires !== true &&
  args.every((arg) => SAFE_KINDS.has(arg.kind) && (arg.sizeBytes ?? 0) <= FRAME_BYTES);

/** Drafts a call of some helper with arguments that mostly, or always, are what its prototype asks for. */
export function draftCall(scope: CallScope): Draft[] {
  const proto = scope.random.pick(protosFor(scope));
  const map = mapFor(scope, proto);
  const takes = (kind: string): boolean => proto.args.some((arg) => arg.kind === kind);
  if (scope.isSafe && ((map === undefined && takes("map")) || (!scope.hasContext && takes("ctx")))) return [];
  const drafts = proto.args.flatMap((arg, idx) => draftArg(scope, { proto, arg, reg: idx + 1, map }));
  const isEmpty = scope.isSafe && proto.ret.kind === "void";
  return [...drafts, helper(proto.id), ...(isEmpty ? [constant(0, 0)] : [])];
}

/** Picks a map that a helper takes; any map where the program need not keep the rules. */
function mapFor({ random, maps, isSafe }: CallScope, proto: HelperProto): number | undefined {
  const all = maps.map((_, idx) => idx);
  const fit = all.filter((idx) => {
    const { type, keyBytes, valueBytes } = maps[idx] as MapSpec;
    return isMapAllowedForHelper(type, proto.id) && keyBytes <= FRAME_BYTES && valueBytes <= FRAME_BYTES;
  });
  if (!isSafe && (fit.length === 0 || random.chance(5))) return random.pick(all);
  return fit.length === 0 ? undefined : random.pick(fit);
}

interface Place {
  readonly proto: HelperProto;
  readonly arg: ArgSpec;
  readonly reg: number;
  readonly map: number | undefined;
}

function draftArg(scope: CallScope, place: Place): Draft[] {
  const { random, isSafe } = scope;
  const { arg, reg, map } = place;
  if (!isSafe && random.chance(4)) return [plain("mov64.x", { dst: reg, src: random.below(10) })];
  switch (arg.kind) {
    case "ctx":
      return [plain("mov64.x", { dst: reg, src: CTX })];
    case "map":
      return [{ ...wideDraft(reg, 1, 0, 0), map: map ?? 0 }];
    case "map_key":
    case "map_value":
    case "mem":
      return arg.nullable === true && random.chance(10) && !isSafe
        ? [constant(reg, 0)]
        : frameAddress(scope, reg);
    case "size":
      return [constant(reg, sizeFor(scope, arg))];
    case "func":
      return [{ ...wideDraft(reg, 4, 0, 0), func: random.below(scope.funcCount) }];
    case "scalar":
      return [constant(reg, scalarFor(scope, arg))];
    default:
      return frameAddress(scope, reg);
  }
}

const constant = (dst: number, imm: number): Draft => plain("mov64.k", { dst, imm });

/** Everything that a contract names fits behind the lowest used byte of the frame. */
function frameAddress({ random, isSafe }: CallScope, reg: number): Draft[] {
  const below = isSafe || random.chance(70) ? FRAME_BYTES : 8 * random.range(0, 8);
  return [plain("mov64.x", { dst: reg, src: FP }), plain("add64.k", { dst: reg, imm: -below })];
}

function sizeFor({ random, isSafe }: CallScope, { allowZero, max }: ArgSpec): number {
  const most = max !== undefined && max < BigInt(FRAME_BYTES) ? Number(max) : FRAME_BYTES;
  if (!isSafe && random.chance(10)) return random.pick([-1, 65, 512, 513, 0x7fff_ffff]);
  return 4 * random.range(allowZero === true ? 0 : 1, Math.max(1, most >> 2));
}

function scalarFor({ random, isSafe }: CallScope, { min, max }: ArgSpec): number {
  const value = random.chance(70)
    ? random.range(0, 8)
    : random.chance(50)
      ? random.range(-64, 64)
      : random.u32() | 0;
  if (!isSafe || (min === undefined && max === undefined)) return value;
  const low = Number(min ?? 0n);
  const high = Number(max ?? 0x7fff_ffffn);
  return Math.min(Math.max(value, low), high);
}

/** Drafts an access of the packet behind a check of its end, as compiled programs make it. */
export function draftPacketAccess(
  { random, progType, isSafe }: CallScope,
  at: number,
  data: number,
): Draft[] {
  const isXdp = progType === "xdp";
  const size = random.pick([8, 16, 32, 64]);
  const bytes = random.pick([4, 14, 34, 60]);
  const off =
    isSafe || random.chance(90)
      ? random.range(0, Math.max(0, bytes - size / 8))
      : random.range(-2, bytes + 2);
  const checked = Math.max(bytes, off + size / 8);
  const access = random.chance(60)
    ? plain(`ldx${size}`, { dst: data, src: 2, off })
    : plain(`stx${size}`, { dst: 2, src: random.below(2) * 7, off });
  return [
    plain("ldx32", { dst: 2, src: CTX, off: isXdp ? 0 : 76 }),
    plain("ldx32", { dst: 3, src: CTX, off: isXdp ? 4 : 80 }),
    plain("mov64.x", { dst: 4, src: 2 }),
    plain("add64.k", { dst: 4, imm: checked }),
    { ...plain("jgt64.x", { dst: 4, src: 3 }), target: at + 6 },
    access,
  ];
}
