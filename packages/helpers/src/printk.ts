import { decodeUtf8 } from "@tsbpf/base";
import type { LinearMemory } from "@tsbpf/memory";
import type { HelperEnv } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { type Formatted, formatText } from "./format.ts";
import type { FormatArgs } from "./format-args.ts";
import { fail, R1, R2, R3, R4, R5, setS32, u32 } from "./regs.ts";

/** Bytes of a line, its NUL included. @source linux kernel/bpf MAX_BPRINTF_BUF */
const LINE_BYTES = 1024;
/** Arguments of an array. @source linux kernel/bpf MAX_BPRINTF_VARARGS */
const ARRAY_ARGS_MAX = 12;
const ARG_BYTES = 8;
const REGISTER_ARGS = 3;

/** Returns the bytes before the NUL, or undefined when there is none within `size`. */
function terminated(bytes: Uint8Array): Uint8Array | undefined {
  const end = bytes.indexOf(0);
  return end < 0 ? undefined : bytes.subarray(0, end);
}

const registerArgs = (regs: Int32Array): FormatArgs => ({
  count: REGISTER_ARGS,
  lo: (idx) => regs[R3 + 2 * idx] as number,
  hi: (idx) => regs[R3 + 2 * idx + 1] as number,
});

/** Reads arguments from an array; undefined when its size is not allowed. */
function arrayArgs(memory: LinearMemory, address: number, bytes: number): FormatArgs | undefined {
  if (bytes % ARG_BYTES !== 0 || bytes > ARRAY_ARGS_MAX * ARG_BYTES || (bytes > 0 && address === 0))
    return undefined;
  return {
    count: bytes / ARG_BYTES,
    lo: (idx) => memory.view.getInt32(address + ARG_BYTES * idx, true),
    hi: (idx) => memory.view.getInt32(address + ARG_BYTES * idx + 4, true),
  };
}

function emitLine(regs: Int32Array, env: HelperEnv, args: FormatArgs | undefined): void {
  const format = terminated(env.memory.bytesAt(u32(regs, R1), u32(regs, R2)));
  const line: Formatted | "EINVAL" | "ENOSPC" =
    format === undefined || args === undefined ? "EINVAL" : formatText(env.memory, format, args, LINE_BYTES);
  if (typeof line === "string") {
    fail(regs, line);
    return;
  }
  if (env.effects.isOn) env.effects.record({ kind: "printk", text: decodeUtf8(line.text), cpu: env.cpu });
  setS32(regs, line.length);
}

const tracePrintk = kernelHelper(
  6,
  "Writes a formatted line with up to three values to the trace log.",
  (regs, env) => emitLine(regs, env, registerArgs(regs)),
);

const traceVprintk = kernelHelper(
  177,
  "Writes a formatted line with values from an array to the trace log.",
  (regs, env) => emitLine(regs, env, arrayArgs(env.memory, u32(regs, R3), u32(regs, R4))),
);

const snprintf = kernelHelper(165, "Formats values from an array into a buffer.", (regs, env) => {
  const { memory } = env;
  const size = u32(regs, R2);
  const format = u32(regs, R3);
  const args = arrayArgs(memory, u32(regs, R4), u32(regs, R5));
  const end = memory.u8.indexOf(0, format);
  const done =
    args === undefined ? "EINVAL" : formatText(memory, memory.u8.subarray(format, end), args, size);
  if (typeof done === "string") return fail(regs, done);
  if (size > 0) {
    const to = u32(regs, R1);
    memory.u8.set(done.text, to);
    memory.u8[to + done.text.length] = 0;
  }
  setS32(regs, done.length + 1);
});

/** Helpers that format text. */
export const printkHelpers = [tracePrintk, traceVprintk, snprintf] as const;
