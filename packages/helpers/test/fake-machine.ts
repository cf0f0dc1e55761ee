import { type MapTypeName, type ProgTypeName, protoByName, SKB_STATE, XDP_STATE } from "@tsbpf/abi";
import { LinearMemory, PacketBuffer } from "@tsbpf/memory";
import type { BpfMap, Effect, HelperEnv, HelperPlugin } from "@tsbpf/plugin";
import { createServices, kernelHelpers, type ServicesOptions } from "../src/index.ts";

export interface FakeOptions {
  readonly progType?: ProgTypeName;
  readonly packet?: Uint8Array;
  readonly services?: ServicesOptions;
  readonly maps?: readonly BpfMap[];
  readonly callBack?: HelperEnv["callBack"];
  readonly isRecording?: boolean;
}

/** Registers, memory and an environment: all that a helper sees of a VM. */
export interface FakeMachine {
  readonly memory: LinearMemory;
  readonly regs: Int32Array;
  readonly env: HelperEnv;
  readonly effects: Effect[];
  readonly packet: PacketBuffer;
  /** Address of 4096 bytes that a program could read and write. */
  readonly buffer: number;
  /** Calls a helper by name; returns r0 as a signed number. */
  call(name: string, ...args: readonly (number | bigint)[]): bigint;
  put(offset: number, bytes: Uint8Array | string): number;
  take(offset: number, size: number): Uint8Array;
  text(offset: number): string;
}

const ETH_HEADER_BYTES = 14;
const HEADROOM_BYTES = 256;

export const helperByName = (name: string): HelperPlugin => {
  const id = protoByName(name)?.id;
  const helper = kernelHelpers.find((one) => one.proto.id === id);
  if (helper?.raw === undefined) throw new Error(`no helper ${name}`);
  return helper;
};

function placeContext(memory: LinearMemory, progType: ProgTypeName, bytes: Uint8Array) {
  const isXdp = progType === "xdp";
  const ctxAddress = memory.allocRaw(isXdp ? XDP_STATE.bytes : SKB_STATE.bytes);
  const fields = isXdp ? { data: 0, dataEnd: 4, dataMeta: 8 } : { data: 76, dataEnd: 80, dataMeta: 140 };
  const packet = new PacketBuffer(memory, {
    ctxAddress,
    fields,
    headroomBytes: HEADROOM_BYTES,
    maxBytes: 24_000,
  });
  const set = (offset: number, value: number) => memory.view.setUint32(ctxAddress + offset, value, true);
  packet.load(bytes, isXdp ? 3520 - bytes.length : undefined);
  if (isXdp) {
    set(12, 1);
    return { ctxAddress, packet };
  }
  set(SKB_STATE.macHeader, packet.dataStart);
  set(SKB_STATE.networkHeader, packet.dataStart + ETH_HEADER_BYTES);
  set(0, bytes.length);
  set(16, (bytes[12] ?? 0) | ((bytes[13] ?? 0) << 8));
  set(40, 1);
  return { ctxAddress, packet };
}

export function fakeMachine(options: FakeOptions = {}): FakeMachine {
  const memory = new LinearMemory();
  const progType = options.progType ?? "xdp";
  const { ctxAddress, packet } = placeContext(memory, progType, options.packet ?? new Uint8Array(64));
  const buffer = memory.alloc(4096, { kind: "map", name: "buffer" });
  const effects: Effect[] = [];
  const regs = new Int32Array(22);
  const env: HelperEnv = {
    memory,
    cpu: 1,
    cpuCount: 4,
    progType,
    services: createServices(options.services),
    effects: { isOn: options.isRecording ?? true, record: (effect) => effects.push(effect) },
    packet,
    ctxAddress,
    runState: new Map(),
    vmState: new Map(),
    mapAt: (address) => options.maps?.find((map) => map.address === address),
    callBack: options.callBack ?? (() => 0),
    packetMoved: () => packet.syncRegion(),
    count: () => {},
  };
  return {
    memory,
    regs,
    env,
    effects,
    packet,
    buffer,
    call(name, ...args) {
      for (const [idx, arg] of args.entries()) {
        const value = BigInt(arg);
        regs[2 * idx + 2] = Number(BigInt.asIntN(32, value));
        regs[2 * idx + 3] = Number(BigInt.asIntN(32, value >> 32n));
      }
      helperByName(name).raw!(regs, env);
      return BigInt.asIntN(64, (BigInt(regs[1]! >>> 0) << 32n) | BigInt(regs[0]! >>> 0));
    },
    put(offset, bytes) {
      memory.u8.set(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes, buffer + offset);
      return buffer + offset;
    },
    take: (offset, size) => memory.bytesAt(buffer + offset, size).slice(),
    text(offset) {
      const end = memory.u8.indexOf(0, buffer + offset);
      return Buffer.from(memory.u8.subarray(buffer + offset, end)).toString("latin1");
    },
  };
}

/** A map that only answers what a test gives it. */
export const fakeMap = (type: MapTypeName, parts: Partial<BpfMap> = {}): BpfMap => ({
  spec: { name: `a_${type}`, type, keyBytes: 4, valueBytes: 8, maxEntries: 4, flags: 0 },
  address: 0x1_0000,
  lookup: () => 0,
  update: () => 0,
  delete: () => 0,
  get: () => -2,
  set: () => 0,
  remove: () => 0,
  nextKey: () => -2,
  entries: function* () {},
  freeze: () => 0,
  ...parts,
});

export const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replace(/ /g, ""), "hex"));
export const range = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, idx) => idx & 255);

/** An Ethernet frame with an IPv4 header of 20 bytes and a payload that counts. */
export const ipv4Frame = (size = 64): Uint8Array => {
  const frame = range(size);
  frame.set(bytes("000000000000 020000000002 0800 4500003200010000 40110000 0a000001 0a000002"));
  return frame;
};

export const ipv6Frame = (size = 100): Uint8Array => {
  const frame = range(size);
  frame.set(bytes("000000000000 020000000002 86dd 6000000000283a40"));
  return frame;
};

const EINVAL = -22n;
const EFAULT = -14n;
export const ERR = {
  EINVAL,
  EFAULT,
  ENOENT: -2n,
  E2BIG: -7n,
  EAGAIN: -11n,
  ENOMEM: -12n,
  EACCES: -13n,
  ENODEV: -19n,
  ERANGE: -34n,
  EBADMSG: -74n,
  EPROTO: -71n,
  EOPNOTSUPP: -95n,
  EAFNOSUPPORT: -97n,
  EALREADY: -114n,
  ENOTSUPP: -524n,
  EPERM: -1n,
} as const;
