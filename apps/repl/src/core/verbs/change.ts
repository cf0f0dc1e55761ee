import type { ProgSpec } from "@tsbpf/abi";
import { makeInsn, slotsOf } from "@tsbpf/isa";
import { openBrackets } from "../block.ts";
import { parseExpr, parseNamed, regIdx } from "../expr.ts";
import { fault } from "../fault.ts";
import { defineAtPrompt, forgetHelper } from "../helper-text.ts";
import { assembleText } from "../lines.ts";
import { parsePlace } from "../places.ts";
import type { Session } from "../session.ts";
import { printScalar } from "../values.ts";
import type { Verb } from "../verb.ts";
import { firstWord, usage } from "./args.ts";

const WORD_BYTES = 8;
const LD_IMM64 = 0x18;
const NOP = makeInsn(0x05);

function setValue(session: Session, args: string) {
  const found = /^(?:var(?:iable)?\s+)?(.+?)\s*(?<![=!<>])=(?!=)\s*(.+)$/s.exec(args);
  if (found === null) return usage(".set rN = EXPR | *(u32 *)ADDR = EXPR");
  const target = (found[1] ?? "").trim();
  const { debuggee } = session;
  debuggee.revive();
  const value = parseExpr(found[2] ?? "")(session.values());
  const reg = regIdx(target);
  if (reg === 10) throw fault("REPL_USAGE", "r10 is the frame pointer and cannot be set");
  if (reg !== undefined) {
    const kept = /^\$?[wW]/.test(target) ? BigInt.asUintN(32, value) : value;
    debuggee.edit(() => {
      const { regs } = debuggee.machine;
      regs[2 * reg] = Number(BigInt.asIntN(32, kept));
      regs[2 * reg + 1] = Number(BigInt.asIntN(32, kept >> 32n));
    });
    return session.say(session.regsText([reg]));
  }
  const place = parseNamed(target)?.(session.values());
  if (place !== undefined && place.sizeBytes <= WORD_BYTES) {
    setMemory(session, place.sizeBytes, place.address, value);
    return session.say(`${target} = ${printScalar(parseExpr(target)(session.values()))}`);
  }
  const load = /^\*?\s*\(\s*[us](8|16|32|64)\s*\*\s*\)\s*(.+)$/s.exec(target);
  if (load === null)
    throw fault("REPL_USAGE", `${target} cannot be set, a register, a variable or *(u32 *)ADDR needed`);
  const size = Number(load[1]) / 8;
  const address = parseExpr(load[2] ?? "")(session.values());
  setMemory(session, size, address, value);
  session.say(`${size} bytes at 0x${address.toString(16)}`);
}

function setMemory(session: Session, size: number, address: bigint, value: bigint) {
  const { memory } = session.vm;
  const region = address < 2n ** 32n ? memory.regions.nearest(Number(address)) : undefined;
  if (region === undefined || Number(address) + size > region.end || region.kind === "reserved") {
    throw fault("REPL_EXPR", `${size} bytes at 0x${address.toString(16)} lie in no region`);
  }
  session.debuggee.edit(() => {
    for (let i = 0; i < size; i++) memory.u8[Number(address) + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  });
}

/** Puts another instruction in the place of one, and goes on with the changed program. */
function patch(session: Session, args: string) {
  const [where, text] = firstWord(args);
  if (text === "") usage(".patch PC INSTRUCTION");
  if (session.isScratch) throw fault("REPL_NO_PROG", "no program is loaded");
  const { prog: engineProg, slot } = parsePlace(where, session);
  const { debuggee } = session;
  if (engineProg !== debuggee.engineProg)
    throw fault("REPL_PLACE", "only the program that runs can be changed");
  const { spec } = engineProg.prog;
  const next = prepareChanged(session, withInsn(session, spec, slot, text));
  const at = debuggee.stepper.slot;
  debuggee.replaceProg(next.engineProg, at);
  session.adopt(next);
  if (spec.name === session.prog.name) session.prog = next;
  session.say(`${String(slot).padStart(4)}: ${session.insnText(session.linked, slot)}`);
}

function withInsn(session: Session, spec: ProgSpec, slot: number, text: string): ProgSpec {
  const made = assembleText(text, session.lineContext, "patch");
  // A jump to a function or label of the program is written as a distance, so its text stands alone.
  if (!made.ok) throw made.error;
  const old = spec.insns[slot];
  const isHalf = spec.insns[slot - 1]?.op === LD_IMM64 && old?.op === 0;
  if (old === undefined || isHalf) throw fault("REPL_PLACE", `no instruction starts at slot ${slot}`);
  const room = slotsOf(old);
  const fresh = made.prog.insns;
  if (fresh.length === 0 || fresh.length > room) {
    throw fault("REPL_USAGE", `${fresh.length} slots found, the instruction at ${slot} has ${room}`);
  }
  const insns = [...spec.insns];
  for (let i = 0; i < room; i++) insns[slot + i] = fresh[i] ?? NOP;
  const maps = [...spec.maps];
  const mapRefs = spec.mapRefs.filter((ref) => ref.slot !== slot);
  for (const ref of made.prog.mapRefs) {
    const map = session.vm.maps.get(ref.name);
    if (map === undefined) throw fault("REPL_MAP", `no map ${ref.name}`);
    let mapIdx = maps.findIndex((one) => one.name === ref.name);
    if (mapIdx < 0) mapIdx = maps.push(map.spec) - 1;
    mapRefs.push({ slot, mapIdx });
  }
  const kernelRefs = [
    ...spec.kernelRefs.filter((ref) => ref.slot !== slot),
    ...made.prog.kernelRefs.map((ref) => ({ ...ref, slot, isWeak: false })),
  ];
  return { ...spec, insns, maps, mapRefs, kernelRefs };
}

/** Prepares changed code and says when the verifier changes its mind. */
function prepareChanged(session: Session, spec: ProgSpec) {
  const before = session.verdict?.isAccepted;
  session.forgetVerdicts();
  const next = session.prepare(spec);
  const verdict = session.judge(spec);
  if (!verdict.isAccepted)
    session.say(`the verifier refuses it: ${verdict.message} [${verdict.code}]; it runs all the same`);
  else if (before === false) session.say("the verifier accepts it now");
  return next;
}

/** Lets the program that is loaded see plugins that were added. */
function relink(session: Session) {
  session.forgetVerdicts();
  if (session.isScratch) return;
  const { debuggee } = session;
  const { spec } = session.prog.linked;
  const isMain = debuggee.engineProg.prog.spec === spec;
  const next = prepareChanged(session, spec);
  session.prog = next;
  session.adopt(next);
  session.relinkOthers();
  if (isMain && !debuggee.stepper.isInCallback) debuggee.replaceProg(next.engineProg);
  else session.restart();
}

export const CHANGE_VERBS: readonly Verb[] = [
  {
    name: "set",
    words: ["set"],
    group: "change",
    args: "rN = EXPR | VARIABLE = EXPR | *(u32 *)ADDR = EXPR",
    summary: "change a register or memory",
    examples: [".set r1 = 42", "set $r0 = r1 + 1", ".set *(u8 *)(pkt + 23) = 6"],
    completes: "reg",
    isSaved: true,
    run: setValue,
  },
  {
    name: "patch",
    group: "change",
    args: "PC INSTRUCTION",
    summary: "put another instruction in the place of one and go on with it",
    examples: [".patch 12 r0 = 1"],
    completes: "func",
    isSaved: true,
    run: patch,
  },
  {
    name: "helper",
    group: "change",
    args: "NAME = (r1, r2, …, env) => VALUE | { id, name, args, … } | -d NAME",
    summary: "define a helper in TypeScript, or replace one; -d takes it away again",
    examples: [
      ".helper bpf_get_prandom_u32 = () => 7",
      ".helper add3 = (a, b, c) => a + b + c",
      '.helper { id: 0x10002, name: "twice", args: [arg.u64("x")], returns: ret.u64(), call: ({ x }) => x * 2n }',
    ],
    completes: "helper",
    isSaved: true,
    isOpen: (args) => openBrackets(args) > 0,
    async run(session, args) {
      const removed = /^-d\s+(\S+)$/.exec(args)?.[1];
      if (removed !== undefined) session.say(forgetHelper(session, removed));
      else session.say(await defineAtPrompt(session, args));
      relink(session);
    },
  },
  {
    name: "plugin",
    group: "change",
    args: "FILE",
    summary: "load helpers, kernel functions, map types and program types from a file",
    completes: "file",
    isSaved: true,
    async run(session, args) {
      if (args === "") usage(".plugin FILE");
      if (session.host.loadPlugins === undefined)
        throw fault("REPL_UNSUPPORTED", "plugin files cannot be loaded here");
      const plugins = await session.host.loadPlugins(args);
      session.addPlugins(plugins);
      const names = [
        ...[...plugins.helpers, ...(plugins.kfuncs ?? [])].map((one) => one.proto.name),
        ...plugins.mapTypes.map((one) => one.type),
        ...plugins.progTypes.map((one) => one.type),
      ];
      session.say(`${args}: ${names.join(", ")}`);
      relink(session);
    },
  },
];
