import { describe, expect, it } from "vitest";
import { newTally, runSession } from "../src/engine-session.ts";

/** More of them: `engine-main.ts`. */
const SESSIONS = 12;
const PROGS = 20;

describe("sessions of random programs", () => {
  it("go alike on both engines, and reach every kind and way", () => {
    const tally = newTally();
    for (let seed = 1; seed <= SESSIONS; seed++)
      expect(runSession(seed, tally, PROGS), `seed ${seed}`).toBeUndefined();
    expect(tally.programs).toBe(SESSIONS * PROGS);
    expect(Object.keys(tally.ways).sort()).toEqual(["batch", "execute", "hooks", "packet", "repeat"]);
    expect(Math.min(tally.checked, tally.proven, tally.verified)).toBeGreaterThan(0);
    expect(tally.traps).toMatchObject({ none: expect.any(Number), RUN_BOUNDS: expect.any(Number) });
  });
});
