import { ATTACH_TYPES, PROG_TYPES } from "@tsbpf/abi";
import { printHexBytes } from "@tsbpf/base";
import { parseBtf } from "@tsbpf/btf";
import { type KernelAnswer, type KernelCase, toKernelCase } from "@tsbpf/kernel";
import { printReg, REG, type Reg, type State, type Verdict, verifyProg } from "@tsbpf/verifier";
import { createVm } from "@tsbpf/vm";
import { bothEngines } from "./both-engines.ts";
import { type BpftCase, type BpftExpectation, type BpftPlace, toBig } from "./bpft.ts";
import { SoundnessOracle } from "./soundness.ts";

/** What came of one case. */
export interface BpftOutcome {
  readonly verdict: Verdict;
  /** What was not as expected, in words. */
  readonly problems: readonly string[];
}

type Of<Kind extends BpftExpectation["kind"]> = Extract<BpftExpectation, { readonly kind: Kind }>;

const ofKind = <Kind extends BpftExpectation["kind"]>(one: BpftCase, kind: Kind): Of<Kind>[] =>
  one.expects.filter((expect): expect is Of<Kind> => expect.kind === kind);

/** Judges a case, runs it on both engines where it says what a run does, and holds runs against the verifier's states. */
export function runBpft(one: BpftCase): BpftOutcome {
  const problems: string[] = [];
  const states = ofKind(one, "state");
  const seen = new Map<number, State["frames"][]>(states.map(({ slot }) => [slot, []]));
  const verdict = verifyProg(one.spec, {
    logLevel: 2,
    privilege: one.privilege,
    ...(one.kernelBtf === undefined ? {} : { kernelBtf: parseBtf(one.kernelBtf) }),
    onState: (slot, { frames }) =>
      seen
        .get(slot)
        ?.push(frames.map((frame) => ({ ...frame, regs: [...frame.regs], stack: [...frame.stack] }))),
  });
  checkVerdict(one, verdict, problems);
  for (const { text } of ofKind(one, "log")) {
    if (!verdict.log.includes(text)) problems.push(`the log does not say: ${text}`);
  }
  for (const [slot, visits] of seen) {
    checkStates(
      slot,
      visits,
      states.filter((state) => state.slot === slot),
      problems,
    );
  }
  checkRuns(one, verdict.isAccepted, problems);
  return { verdict, problems };
}

function checkVerdict(one: BpftCase, verdict: Verdict, problems: string[]): void {
  const [reject] = ofKind(one, "reject");
  const said = verdict.isAccepted
    ? "accepted"
    : `refused at ${verdict.insnIdx}: ${verdict.code} ${verdict.message}`;
  if (reject === undefined) {
    if (!verdict.isAccepted && ofKind(one, "trap").length === 0) problems.push(said);
    return;
  }
  const isPlaced = reject.slot === undefined || reject.slot === verdict.insnIdx;
  const isWorded = reject.message === "" || reject.message === verdict.message.split("\n")[0];
  if (verdict.isAccepted || verdict.code !== reject.code || !isPlaced || !isWorded) {
    problems.push(`${said}, expected ${reject.code} at ${reject.slot ?? "any slot"}: ${reject.message}`);
  }
}

function checkStates(
  slot: number,
  visits: readonly State["frames"][],
  wanted: readonly Of<"state">[],
  problems: string[],
): void {
  const holds = (frames: State["frames"], want: Of<"state">) =>
    want.places.every((place) => matchesPlace(frames, place));
  for (const frames of visits) {
    if (wanted.some((want) => holds(frames, want))) continue;
    const items = (wanted[0]?.places ?? []).map((place) => `${place.at}: ${showPlace(frames, place)}`);
    problems.push(`slot ${slot} is visited with ${items.join(", ")}`);
  }
  for (const want of wanted) {
    if (visits.some((frames) => holds(frames, want))) continue;
    const text = want.places.map((place) => `${place.at}: ${place.text}`).join(", ");
    problems.push(`slot ${slot} is never visited with ${text}`);
  }
}

const IDS = /\b(?:ref_obj_id|id)=[^,)]*,?/g;
const showReg = (reg: Reg, frameno: number): string =>
  printReg(reg, frameno).replace(IDS, "").replace(",)", ")").replace(/^P/, "");

function showPlace(frames: State["frames"], { at }: BpftPlace): string {
  const frame = frames.at(-1);
  const slot = frame?.stack[-at / 8 - 1];
  const reg = at < 0 ? slot?.reg : frame?.regs[at];
  const kinds = at < 0 ? `${slot?.kinds} ` : "";
  return kinds + (reg === null || reg === undefined ? "" : showReg(reg, frames.length - 1));
}

const RANGE = /^(w?)\[(-?\w+),\s*(-?\w+)\]$/;
const KINDS = /^[?rm0dif]{8}$/;

function matchesPlace(frames: State["frames"], place: BpftPlace): boolean {
  const frame = frames.at(-1);
  const slot = place.at < 0 ? frame?.stack[-place.at / 8 - 1] : undefined;
  if (place.at < 0 && KINDS.test(place.text)) return (slot?.kinds ?? "????????") === place.text;
  const reg = place.at < 0 ? slot?.reg : frame?.regs[place.at];
  if (reg === null || reg === undefined) return false;
  if (place.text === "?") return reg.type === REG.notInit;
  const { val } = reg;
  if (/^-?\d\w*$/.test(place.text)) {
    const value = BigInt.asIntN(64, toBig(place.text));
    return reg.type === REG.scalar && val.tnum.mask === 0n && val.smin === value;
  }
  const [, narrow, min, max] = RANGE.exec(place.text) ?? [];
  if (min === undefined || max === undefined) return showReg(reg, frames.length - 1) === place.text;
  const [low, high] = [toBig(min), toBig(max)];
  const pairs =
    narrow === "w"
      ? [
          [BigInt(val.u32min), BigInt(val.u32max)],
          [BigInt(val.s32min), BigInt(val.s32max)],
        ]
      : [
          [val.umin, val.umax],
          [val.smin, val.smax],
        ];
  return reg.type === REG.scalar && pairs.some(([from, to]) => from === low && to === high);
}

/** Program types that run on packets here and in the kernel. */
const ON_PACKETS: ReadonlySet<string> = new Set([
  "socket_filter",
  "sched_cls",
  "sched_act",
  "xdp",
  "cgroup_skb",
]);
const BUDGET = 100_000;

function checkRuns(one: BpftCase, isAccepted: boolean, problems: string[]): void {
  const [trap] = ofKind(one, "trap");
  const [result] = ofKind(one, "r0");
  if (trap === undefined && result === undefined) return;
  const input = ON_PACKETS.has(one.spec.type) ? { packet: one.packet } : {};
  for (const isProven of isAccepted && trap === undefined ? [false, true] : [false]) {
    const both = bothEngines({ source: one.spec, inputs: [input], budget: BUDGET, isProven });
    const runs = [both.interpreter.runs[0], both.jit.runs[0]] as {
      readonly r0?: bigint;
      readonly trap?: { readonly code: string; readonly slot: number; readonly text: string };
    }[];
    runs.forEach((run, idx) => {
      const engine = `${idx === 0 ? "interpreter" : "jit"}${isProven ? "" : " with checks"}`;
      if (run.trap?.code !== trap?.code || run.trap?.slot !== trap?.slot) {
        problems.push(
          `${engine}: ${run.trap === undefined ? "no trap" : `${run.trap.code}: ${run.trap.text}`}`,
        );
      } else if (result !== undefined && run.r0 !== BigInt.asUintN(64, result.value)) {
        problems.push(`${engine}: r0 = ${run.r0}, expected ${result.value}`);
      }
    });
  }
  if (!isAccepted || one.privilege !== "all") return;
  const oracle = new SoundnessOracle();
  const vm = createVm();
  oracle.run(vm, vm.load(one.spec, { verify: "off" }), [input]);
  problems.push(...oracle.violations.map(({ slot, text }) => `outside of the states at ${slot}: ${text}`));
}

/** Makes the question to the kernel, for a client with the case's privilege. */
export function toKernelQuestion(one: BpftCase): KernelCase {
  const question = toKernelCase(one.spec);
  const kfuncs = one.spec.kernelRefs.map(({ slot, name }) => ({ insn: slot, name }));
  const hasRun = ofKind(one, "r0").length > 0 && ON_PACKETS.has(one.spec.type);
  const { btf } = one.spec;
  const maps = (question.maps ?? []).map((map, idx) => {
    const { btfKeyTypeId = 0, btfValueTypeId = 0 } = one.spec.maps[idx] ?? {};
    if (btf === undefined || btfValueTypeId === 0) return map;
    return {
      ...map,
      btf: printHexBytes(btf),
      btf_key_type_id: btfKeyTypeId,
      btf_value_type_id: btfValueTypeId,
    };
  });
  const { attachTarget } = one.spec;
  return {
    ...question,
    maps,
    ...(attachTarget === undefined ? {} : { attach_btf: attachBtfOf(one, attachTarget) }),
    ...(ofKind(one, "log").length === 0 ? {} : { log_level: 2 }),
    prog_type: PROG_TYPES[one.spec.type],
    ...(kfuncs.length === 0 ? {} : { kfuncs }),
    ...(hasRun ? { run: { data: printHexBytes(one.packet) } } : {}),
  };
}

const attachBtfOf = ({ spec }: BpftCase, name: string): NonNullable<KernelCase["attach_btf"]> =>
  spec.attachType === ATTACH_TYPES.trace_raw_tp
    ? { name: `btf_trace_${name}`, kind: "typedef" }
    : { name: spec.type === "lsm" ? `bpf_lsm_${name}` : name, kind: "func" };

/** Says how the kernel's answer differs from what the case expects. */
export function compareWithKernel(one: BpftCase, answer: KernelAnswer): string[] {
  const [reject] = ofKind(one, "reject");
  const [result] = ofKind(one, "r0");
  if (answer.error !== undefined) return [`the kernel was not asked: ${answer.error}`];
  const isExpected = reject === undefined && ofKind(one, "trap").length === 0;
  if (answer.loaded !== isExpected) {
    return [`the kernel ${answer.loaded ? "accepts" : `refuses: ${answer.errline}`}`];
  }
  if (reject !== undefined && reject.message !== "" && !(answer.log ?? "").includes(reject.message)) {
    return [`the kernel says: ${answer.errline}`];
  }
  const unsaid = ofKind(one, "log").find(({ text }) => !(answer.log ?? "").includes(text));
  if (unsaid !== undefined) return [`the kernel does not say: ${unsaid.text}`];
  const run = answer.runs?.[0];
  if (result !== undefined && run?.errno === 0 && BigInt(run.retval) !== BigInt.asUintN(32, result.value)) {
    return [`the kernel's run returns ${run.retval}`];
  }
  return [];
}
