import type { Clock, RandomSource, Services } from "@tsbpf/plugin";

/** Services that remember what they answered, so that the same instructions can be run again and learn the same. */
export interface RecordedServices {
  readonly services: Services;
  /** How many answers were given; a place to go back to. */
  position(): number;
  /** Gives the answers from a position on again, then new ones. */
  rewind(position: number): void;
  /** Forgets the answers from a position on. */
  forgetFrom(position: number): void;
}

/** Records the clock and the random numbers; what else a program can learn does not change during a run. */
export function recordServices(source: Services): RecordedServices {
  const answers: (number | bigint)[] = [];
  let next = 0;
  const ask = <T extends number | bigint>(question: () => T): T => {
    if (next === answers.length) answers.push(question());
    return answers[next++] as T;
  };
  const clock: Clock = {
    ktimeNs: () => ask(() => source.clock.ktimeNs()),
    bootNs: () => ask(() => source.clock.bootNs()),
    coarseNs: () => ask(() => source.clock.coarseNs()),
    taiNs: () => ask(() => source.clock.taiNs()),
    jiffies: () => ask(() => source.clock.jiffies()),
  };
  const random: RandomSource = { u32: () => ask(() => source.random.u32()) };
  return {
    services: { ...source, clock, random },
    position: () => next,
    rewind(position) {
      next = Math.min(position, answers.length);
    },
    forgetFrom(position) {
      answers.length = Math.min(position, answers.length);
      next = Math.min(next, answers.length);
    },
  };
}
