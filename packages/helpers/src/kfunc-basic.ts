import { LIMITS } from "@tsbpf/base";
import type { HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelKfunc, shape } from "./kfunc-define.ts";
import { mapArg } from "./map-arg.ts";
import { fail, R1, R2, R3, s32, setU32, setU64, u32 } from "./regs.ts";

const ITERATOR_BYTES = 8;
/** Layout of a number iterator: the number given last, and where to stop. */
const NUM = { current: 0, end: 4 } as const;

const iterNumNew: RawHelper = (regs, env) => {
  const { view } = env.memory;
  const at = u32(regs, R1);
  const start = s32(regs, R2);
  const end = s32(regs, R3);
  const isRange = start <= end;
  const isShort = end - start <= LIMITS.loops;
  view.setInt32(at + NUM.current, isRange && isShort ? start - 1 : 0, true);
  view.setInt32(at + NUM.end, isRange && isShort ? end : 0, true);
  if (!isRange) return fail(regs, "EINVAL");
  if (!isShort) return fail(regs, "E2BIG");
  setU32(regs, 0);
};

const iterNumNext: RawHelper = (regs, env) => {
  const { view } = env.memory;
  const at = u32(regs, R1);
  const next = (view.getInt32(at + NUM.current, true) + 1) | 0;
  if (next >= view.getInt32(at + NUM.end, true)) {
    view.setUint32(at + NUM.current, 0, true);
    view.setUint32(at + NUM.end, 0, true);
    return setU32(regs, 0);
  }
  view.setInt32(at + NUM.current, next, true);
  setU32(regs, at + NUM.current);
};

const iterNumDestroy: RawHelper = (regs, env) => {
  const at = u32(regs, R1);
  env.memory.u8.fill(0, at, at + ITERATOR_BYTES);
  setU32(regs, 0);
};

/** Sections need nothing here: a run is never interrupted by another on its CPU. */
const section: RawHelper = (regs) => setU32(regs, 0);

const same: RawHelper = (regs) => {
  regs[0] = regs[R1] as number;
  regs[1] = regs[R1 + 1] as number;
};

const irqSave: RawHelper = (regs, env) => {
  env.memory.view.setBigUint64(u32(regs, R1), 0n, true);
  setU32(regs, 0);
};

const sumElemCount: RawHelper = (regs, env) => {
  let count = 0n;
  for (const _ of mapArg(regs, R1, env).entries()) count++;
  setU64(regs, count);
};

const iterator = shape.memory("it", ITERATOR_BYTES);
const flags = shape.memory("flags", ITERATOR_BYTES);

/** Kernel functions for loops, sections and casts. */
export const basicKfuncs: readonly HelperPlugin[] = [
  kernelKfunc(
    "bpf_iter_num_new",
    "Starts to count.",
    [iterator, shape.scalar("start"), shape.scalar("end")],
    iterNumNew,
  ),
  kernelKfunc(
    "bpf_iter_num_next",
    "Returns the address of the next number, or null.",
    [iterator],
    iterNumNext,
  ),
  kernelKfunc("bpf_iter_num_destroy", "Ends counting.", [iterator], iterNumDestroy),
  kernelKfunc("bpf_rcu_read_lock", "Begins a section in which kernel objects stay.", [], section),
  kernelKfunc("bpf_rcu_read_unlock", "Ends a section in which kernel objects stay.", [], section),
  kernelKfunc("bpf_preempt_disable", "Begins a section that no other task interrupts.", [], section),
  kernelKfunc("bpf_preempt_enable", "Ends a section that no other task interrupts.", [], section),
  kernelKfunc("bpf_local_irq_save", "Begins a section that no interrupt interrupts.", [flags], irqSave),
  kernelKfunc("bpf_local_irq_restore", "Ends a section that no interrupt interrupts.", [flags], section),
  kernelKfunc(
    "bpf_rdonly_cast",
    "Returns a pointer as one of another type, to read only.",
    [shape.scalar("obj"), shape.scalar("type")],
    same,
  ),
  kernelKfunc(
    "bpf_map_sum_elem_count",
    "Counts the elements of a map.",
    [{ name: "map", kind: "map" }],
    sumElemCount,
  ),
];
