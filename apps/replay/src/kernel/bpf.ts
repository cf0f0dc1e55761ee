import type { MapSpec } from "@tsbpf/abi";
import { MAP_TYPES } from "@tsbpf/abi";
import { callFailed, type Syscalls } from "./syscalls.ts";

/** Commands of bpf(2) that are used; nothing here attaches, pins or links. @source linux uapi/linux/bpf.h enum bpf_cmd */
const CMD = {
  mapCreate: 0,
  mapLookup: 1,
  mapUpdate: 2,
  mapDelete: 3,
  mapNextKey: 4,
  progLoad: 5,
  testRun: 10,
  btfLoad: 18,
  mapFreeze: 22,
} as const;

/** Sizes and offsets in `union bpf_attr`. @source linux uapi/linux/bpf.h union bpf_attr */
const CREATE = {
  bytes: 96,
  type: 0,
  key: 4,
  value: 8,
  max: 12,
  flags: 16,
  innerFd: 20,
  numaNode: 24,
  name: 28,
  btfFd: 48,
  btfKey: 52,
  btfValue: 56,
  extra: 64,
} as const;
const ELEM = { bytes: 32, fd: 0, key: 8, value: 16, flags: 24 } as const;
const LOAD = {
  bytes: 144,
  type: 0,
  insnCount: 4,
  insns: 8,
  license: 16,
  logLevel: 24,
  logSize: 28,
  log: 32,
  flags: 44,
  name: 48,
  attachType: 68,
  btfFd: 72,
  funcRecord: 76,
  funcs: 80,
  funcCount: 88,
} as const;
const RUN = {
  bytes: 80,
  fd: 0,
  retval: 4,
  dataIn: 8,
  dataOut: 12,
  dataInAt: 16,
  dataOutAt: 24,
  repeat: 32,
  ctxIn: 40,
  ctxOut: 44,
  ctxInAt: 48,
  ctxOutAt: 56,
} as const;
const BTF = { bytes: 32, btf: 0, size: 16 } as const;
const NAME_BYTES = 15;
const LOG_BYTES = 64 * 1024;
const FUNC_RECORD_BYTES = 8;

const objectName = (text: string): string => text.replace(/[^A-Za-z0-9_.]/g, "_").slice(0, NAME_BYTES);

/** What a map in the kernel is made of beside its spec. */
export interface KernelMapOptions {
  readonly innerFd?: number | undefined;
  /** BTF of the values, where they hold what the kernel must find: locks, timers. */
  readonly btfFd?: number | undefined;
  readonly flags: number;
}

/** A program to load. */
export interface KernelProgOptions {
  readonly type: number;
  readonly attachType: number;
  readonly flags: number;
  readonly name: string;
  readonly license: string;
  readonly code: Buffer;
  readonly btfFd?: number | undefined;
  /** Records of `struct bpf_func_info`. */
  readonly funcs?: Buffer | undefined;
}

export interface TestRunInput {
  readonly fd: number;
  readonly data: Uint8Array | undefined;
  readonly ctx: Uint8Array | undefined;
  readonly dataRoom: number;
}

export interface TestRunResult {
  /** 0, or a positive error number: then there is nothing else. */
  readonly errno: number;
  readonly retval: number;
  readonly data: Uint8Array;
  readonly ctx: Uint8Array | undefined;
}

/** bpf(2), typed. Every descriptor that it hands out is closed by `close`. */
export class Bpf {
  private readonly calls: Syscalls;
  private readonly fds: number[] = [];

  constructor(calls: Syscalls) {
    this.calls = calls;
  }

  close(): void {
    for (const fd of this.fds.splice(0).reverse()) this.calls.close(fd);
  }

  /** @throws KERNEL_CALL (InputError) when the kernel refuses the map. */
  createMap(spec: MapSpec, { innerFd, btfFd, flags }: KernelMapOptions): number {
    const attr = Buffer.alloc(CREATE.bytes);
    attr.writeUInt32LE(MAP_TYPES[spec.type], CREATE.type);
    attr.writeUInt32LE(spec.keyBytes, CREATE.key);
    attr.writeUInt32LE(spec.valueBytes, CREATE.value);
    attr.writeUInt32LE(spec.maxEntries, CREATE.max);
    attr.writeUInt32LE(flags, CREATE.flags);
    attr.writeUInt32LE(innerFd ?? 0, CREATE.innerFd);
    attr.writeUInt32LE(spec.numaNode ?? 0, CREATE.numaNode);
    attr.write(objectName(spec.name), CREATE.name, "latin1");
    if (btfFd !== undefined) {
      attr.writeUInt32LE(btfFd, CREATE.btfFd);
      attr.writeUInt32LE(spec.btfKeyTypeId ?? 0, CREATE.btfKey);
      attr.writeUInt32LE(spec.btfValueTypeId ?? 0, CREATE.btfValue);
    }
    attr.writeBigUInt64LE(spec.mapExtra ?? 0n, CREATE.extra);
    return this.open(`creating map ${spec.name} in the kernel`, CMD.mapCreate, attr);
  }

  updateMap(fd: number, key: Uint8Array, value: Uint8Array, flags: bigint): number {
    return this.element(CMD.mapUpdate, { fd, key: Buffer.from(key), value: Buffer.from(value), flags });
  }

  deleteFromMap(fd: number, key: Uint8Array): number {
    return this.element(CMD.mapDelete, { fd, key: Buffer.from(key), value: undefined, flags: 0n });
  }

  /** Copies a value into a buffer; false when there is none. */
  lookUp(fd: number, key: Buffer, value: Buffer): boolean {
    return this.element(CMD.mapLookup, { fd, key, value, flags: 0n }) >= 0;
  }

  /** Puts the key after `key` into `next`, or the first one; false when there is none. */
  nextKey(fd: number, key: Buffer | undefined, next: Buffer): boolean {
    return this.element(CMD.mapNextKey, { fd, key, value: next, flags: 0n }) >= 0;
  }

  freeze(fd: number): void {
    const attr = Buffer.alloc(4);
    attr.writeUInt32LE(fd);
    const result = this.calls.bpf(CMD.mapFreeze, attr);
    if (result < 0) throw callFailed("freezing a map in the kernel", result);
  }

  loadBtf(btf: Uint8Array): number {
    const bytes = Buffer.from(btf);
    const attr = Buffer.alloc(BTF.bytes);
    attr.writeBigUInt64LE(this.calls.addressOf(bytes), BTF.btf);
    attr.writeUInt32LE(bytes.length, BTF.size);
    return this.open("loading the object's types into the kernel", CMD.btfLoad, attr);
  }

  /** Loads a program: its descriptor, or why the kernel refuses it. */
  loadProg(options: KernelProgOptions): { readonly fd: number; readonly log: string } {
    const license = Buffer.from(`${options.license}\0`, "latin1");
    const log = Buffer.alloc(LOG_BYTES);
    const attr = Buffer.alloc(LOAD.bytes);
    attr.writeUInt32LE(options.type, LOAD.type);
    attr.writeUInt32LE(options.code.length / 8, LOAD.insnCount);
    attr.writeBigUInt64LE(this.calls.addressOf(options.code), LOAD.insns);
    attr.writeBigUInt64LE(this.calls.addressOf(license), LOAD.license);
    attr.writeUInt32LE(options.flags, LOAD.flags);
    attr.write(objectName(options.name), LOAD.name, "latin1");
    attr.writeUInt32LE(options.attachType, LOAD.attachType);
    if (options.btfFd !== undefined && options.funcs !== undefined) {
      attr.writeUInt32LE(options.btfFd, LOAD.btfFd);
      attr.writeUInt32LE(FUNC_RECORD_BYTES, LOAD.funcRecord);
      attr.writeBigUInt64LE(this.calls.addressOf(options.funcs), LOAD.funcs);
      attr.writeUInt32LE(options.funcs.length / FUNC_RECORD_BYTES, LOAD.funcCount);
    }
    let fd = this.retry(CMD.progLoad, attr);
    if (fd < 0) {
      // Once more, for the reason.
      attr.writeUInt32LE(1, LOAD.logLevel);
      attr.writeUInt32LE(log.length, LOAD.logSize);
      attr.writeBigUInt64LE(this.calls.addressOf(log), LOAD.log);
      fd = this.retry(CMD.progLoad, attr);
    }
    if (fd >= 0) this.fds.push(fd);
    const end = log.indexOf(0);
    return { fd, log: log.toString("latin1", 0, end < 0 ? log.length : end) };
  }

  /** Runs a program once. */
  testRun({ fd, data, ctx, dataRoom }: TestRunInput): TestRunResult {
    const dataIn = data === undefined ? undefined : Buffer.from(data);
    const dataOut = Buffer.alloc(dataIn === undefined ? 0 : dataRoom);
    const ctxIn = ctx === undefined ? undefined : Buffer.from(ctx);
    const ctxOut = Buffer.alloc(ctxIn?.length ?? 0);
    const attr = Buffer.alloc(RUN.bytes);
    const put = (buffer: Buffer | undefined, sizeAt: number, at: number): void => {
      if (buffer === undefined || buffer.length === 0) return;
      attr.writeUInt32LE(buffer.length, sizeAt);
      attr.writeBigUInt64LE(this.calls.addressOf(buffer), at);
    };
    attr.writeUInt32LE(fd, RUN.fd);
    put(dataIn, RUN.dataIn, RUN.dataInAt);
    put(dataOut, RUN.dataOut, RUN.dataOutAt);
    put(ctxIn, RUN.ctxIn, RUN.ctxInAt);
    put(ctxOut, RUN.ctxOut, RUN.ctxOutAt);
    attr.writeUInt32LE(dataIn === undefined ? 0 : 1, RUN.repeat);
    const result = this.retry(CMD.testRun, attr);
    if (result < 0) return { errno: -result, retval: 0, data: new Uint8Array(0), ctx: undefined };
    const size = Math.min(attr.readUInt32LE(RUN.dataOut), dataOut.length);
    const ctxSize = Math.min(attr.readUInt32LE(RUN.ctxOut), ctxOut.length);
    return {
      errno: 0,
      retval: attr.readUInt32LE(RUN.retval),
      data: new Uint8Array(dataOut.subarray(0, size)),
      ctx: ctxIn === undefined ? undefined : new Uint8Array(ctxOut.subarray(0, ctxSize)),
    };
  }

  private element(
    command: number,
    {
      fd,
      key,
      value,
      flags,
    }: { fd: number; key: Buffer | undefined; value: Buffer | undefined; flags: bigint },
  ): number {
    const attr = Buffer.alloc(ELEM.bytes);
    attr.writeUInt32LE(fd, ELEM.fd);
    if (key !== undefined && key.length > 0) attr.writeBigUInt64LE(this.calls.addressOf(key), ELEM.key);
    if (value !== undefined && value.length > 0)
      attr.writeBigUInt64LE(this.calls.addressOf(value), ELEM.value);
    attr.writeBigUInt64LE(flags, ELEM.flags);
    return this.calls.bpf(command, attr);
  }

  private open(what: string, command: number, attr: Buffer): number {
    const fd = this.calls.bpf(command, attr);
    if (fd < 0) throw callFailed(what, fd);
    this.fds.push(fd);
    return fd;
  }

  /** Loads and runs may be interrupted; they are then made again. */
  private retry(command: number, attr: Buffer): number {
    let result = 0;
    for (let attempt = 0; attempt < RETRIES; attempt++) {
      result = this.calls.bpf(command, attr);
      if (result !== -EAGAIN && result !== -EINTR) break;
    }
    return result;
  }
}

const RETRIES = 4;
const EINTR = 4;
const EAGAIN = 11;
