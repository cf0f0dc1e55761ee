import { hiOf, loOf } from "@tsbpf/base";
import type { Clock, RandomSource, Services } from "@tsbpf/plugin";
import type { AnswerLog } from "./log.ts";

/** Services that write down what they answer. */
export function recordingServices(services: Services, log: AnswerLog): Services {
  const live = services.clock;
  const note = (clock: string, value: bigint): bigint => {
    log.add({ phase: "during", kind: "clock", clock, value: BigInt.asUintN(64, value) });
    return value;
  };
  const clock: Clock = {
    ktimeNs: () => note("mono", live.ktimeNs()),
    ktimeInto(halves) {
      const value = clock.ktimeNs();
      halves[0] = loOf(value);
      halves[1] = hiOf(value);
    },
    bootNs: () => note("boot", live.bootNs()),
    coarseNs: () => note("coarse", live.coarseNs()),
    taiNs: () => note("tai", live.taiNs()),
    jiffies: () => note("jiffies", live.jiffies()),
  };
  const random: RandomSource = {
    u32: () => {
      const value = services.random.u32();
      log.add({ phase: "during", kind: "random", value: BigInt(value >>> 0) });
      return value;
    },
  };
  return { ...services, clock, random };
}
