import { updateFlags } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { mapArg } from "./map-arg.ts";
import { fail, isZero, R1, R2, R3, R4, setS32, setU32, u32 } from "./regs.ts";

const mapLookupElem = kernelHelper(
  1,
  "Finds a map's element and returns the address of its value.",
  (regs, env) => setU32(regs, mapArg(regs, R1, env).lookup(u32(regs, R2), env.cpu)),
);

const mapUpdateElem = kernelHelper(2, "Adds an element to a map or changes its value.", (regs, env) =>
  setS32(
    regs,
    mapArg(regs, R1, env).update(
      u32(regs, R2),
      u32(regs, R3),
      updateFlags(regs[R4] as number, regs[R4 + 1] as number),
      env.cpu,
    ),
  ),
);

const mapDeleteElem = kernelHelper(3, "Removes an element from a map.", (regs, env) =>
  setS32(regs, mapArg(regs, R1, env).delete(u32(regs, R2), env.cpu)),
);

const mapPushElem = kernelHelper(87, "Puts a value into a queue, stack or bloom filter.", (regs, env) => {
  const map = mapArg(regs, R1, env);
  if (map.push === undefined) return fail(regs, "EOPNOTSUPP");
  setS32(regs, map.push(u32(regs, R2), updateFlags(regs[R3] as number, regs[R3 + 1] as number)));
});

const mapPopElem = kernelHelper(88, "Takes the next value out of a queue or stack.", (regs, env) => {
  const map = mapArg(regs, R1, env);
  if (map.pop === undefined) return fail(regs, "EOPNOTSUPP");
  setS32(regs, map.pop(u32(regs, R2)));
});

const mapPeekElem = kernelHelper(
  89,
  "Copies the next value of a queue or stack, or tests a bloom filter.",
  (regs, env) => {
    const map = mapArg(regs, R1, env);
    if (map.peek === undefined) return fail(regs, "EOPNOTSUPP");
    setS32(regs, map.peek(u32(regs, R2)));
  },
);

const mapLookupPercpuElem = kernelHelper(195, "Finds another CPU's value of an element.", (regs, env) => {
  const map = mapArg(regs, R1, env);
  const cpu = u32(regs, R3);
  if (map.lookupPercpu === undefined || cpu >= env.cpuCount) return setU32(regs, 0);
  setU32(regs, map.lookupPercpu(u32(regs, R2), cpu));
});

const CALLBACK_WORDS = 8;

const forEachMapElem = kernelHelper(
  164,
  "Calls a function of the program for each element of a map.",
  (regs, env) => {
    const map = mapArg(regs, R1, env);
    if (!isZero(regs, R4)) return fail(regs, "EINVAL");
    if (map.forEach === undefined) return fail(regs, "EINVAL");
    const funcLo = regs[R2] as number;
    const funcHi = regs[R2 + 1] as number;
    const args = new Int32Array(CALLBACK_WORDS);
    args[0] = map.address;
    args[6] = regs[R3] as number;
    args[7] = regs[R3 + 1] as number;
    const visit = (keyAddress: number, valueAddress: number): boolean => {
      args[2] = keyAddress;
      args[4] = valueAddress;
      return env.callBack(funcLo, funcHi, args) === 0;
    };
    setS32(regs, map.forEach(visit, env.cpu));
  },
);

/** Helpers on map elements. */
export const mapHelpers = [
  mapLookupElem,
  mapUpdateElem,
  mapDeleteElem,
  mapPushElem,
  mapPopElem,
  mapPeekElem,
  mapLookupPercpuElem,
  forEachMapElem,
] as const;
