import { RING_BUSY, RING_DISCARD, RING_RECORD } from "@tsbpf/abi";
import { canAccess, PERM } from "@tsbpf/memory";
import { type BpfMap, type HelperEnv, type HelperPlugin, type RawHelper, updateFlags } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { mapArg } from "./map-arg.ts";
import { fail, isZero, R1, R2, R3, R4, setS32, setU32, u32 } from "./regs.ts";

const RECORD_HEADER_BYTES = 8;
const WORD = 2 ** 32;

/**
 * Submits or discards a record, whose header names its map; an address that is no open record is left alone, which
 * only unverified programs can give.
 */
export function finishRecord(env: HelperEnv, address: number, flags: number, isDiscarded: boolean): void {
  const { memory } = env;
  if (!canAccess(memory, address - RECORD_HEADER_BYTES, RECORD_HEADER_BYTES, PERM.read)) return;
  const map = env.mapAt(memory.view.getUint32(address + RING_RECORD.owner, true));
  if (map?.ring === undefined) return;
  const length = memory.view.getUint32(address + RING_RECORD.length, true);
  const status = isDiscarded ? map.ring.discard(address, flags) : map.ring.submit(address, flags);
  if (status === 0) recordEffect(env, map, address, payloadBytes(length), isDiscarded);
}

const payloadBytes = (length: number): number => (length & ~(RING_BUSY | RING_DISCARD)) >>> 0;

function recordEffect(
  env: HelperEnv,
  map: BpfMap,
  address: number,
  bytes: number,
  isDiscarded: boolean,
): void {
  if (!env.effects.isOn) return;
  const data = env.memory.bytesAt(address, bytes).slice();
  env.effects.record({ kind: "ringbuf", map: map.spec.name, data, isDiscarded });
}

const output: RawHelper = (regs, env) => {
  const map = mapArg(regs, R1, env);
  if (map.ring === undefined || regs[R3 + 1] !== 0) return fail(regs, "EAGAIN");
  const data = u32(regs, R2);
  const size = u32(regs, R3);
  const flags = updateFlags(regs[R4] as number, regs[R4 + 1] as number);
  const status = map.ring.output(data, size, flags);
  if (status === 0) recordEffect(env, map, data, size, false);
  setS32(regs, status);
};

const reserve: RawHelper = (regs, env) => {
  const { ring } = mapArg(regs, R1, env);
  if (ring === undefined || !isZero(regs, R3) || regs[R2 + 1] !== 0) return setU32(regs, 0);
  setU32(regs, ring.reserve(u32(regs, R2), 0));
};

const finish =
  (isDiscarded: boolean): RawHelper =>
  (regs, env) => {
    finishRecord(env, u32(regs, R1), u32(regs, R2), isDiscarded);
    setU32(regs, 0);
  };

const query: RawHelper = (regs, env) => {
  const { ring } = mapArg(regs, R1, env);
  const answer = ring?.query(updateFlags(regs[R2] as number, regs[R2 + 1] as number)) ?? 0;
  regs[0] = answer % WORD;
  regs[1] = Math.floor(answer / WORD);
};

/** Helpers on ring buffers. */
export const ringbufHelpers: readonly HelperPlugin[] = [
  kernelHelper(130, "Copies a record into a ring buffer.", output),
  kernelHelper(131, "Reserves room for a record in a ring buffer.", reserve),
  kernelHelper(132, "Makes a reserved record visible to the reader.", finish(false)),
  kernelHelper(133, "Gives a reserved record up.", finish(true)),
  kernelHelper(134, "Asks for the state of a ring buffer.", query),
];
