import { hiOf, loOf } from "@tsbpf/base";
import type { Clock, RandomSource, Services } from "@tsbpf/plugin";
import type { AnswerQueue } from "./answers.ts";

/** Services that answer from a trace as long as it has answers, and as they are otherwise. */
export function answeringServices(services: Services, answers: AnswerQueue): Services {
  const live = services.clock;
  const ask = (name: string, question: () => bigint): bigint =>
    answers.isOn ? answers.clock(name) : question();
  const clock: Clock = {
    ktimeNs: () => ask("mono", () => live.ktimeNs()),
    ktimeInto(halves) {
      if (!answers.isOn && live.ktimeInto !== undefined) {
        live.ktimeInto(halves);
        return;
      }
      const value = clock.ktimeNs();
      halves[0] = loOf(value);
      halves[1] = hiOf(value);
    },
    bootNs: () => ask("boot", () => live.bootNs()),
    coarseNs: () => ask("coarse", () => live.coarseNs()),
    taiNs: () => ask("tai", () => live.taiNs()),
    jiffies: () => ask("jiffies", () => live.jiffies()),
  };
  const random: RandomSource = {
    u32: () => (answers.isOn ? answers.random() : services.random.u32()),
  };
  return { ...services, clock, random };
}
