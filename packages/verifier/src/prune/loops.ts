import type { Env } from "../env.ts";
import { forceAllPrecise, propagatePrecision } from "../precise/mark.ts";
import { copyState, type State } from "../state/state.ts";
import { frameInsnIdx } from "../walk/linked.ts";

/** One loop on one call chain, while paths are inside it. */
export interface LoopVisit {
  /** First checkpoint of the path that entered the loop. */
  entry: State | null;
  /** States at which paths through the loop closed it. */
  backedges: State[];
}

const MAX_ROUNDS = 64;

/** Names the innermost... outermost loop that a state is in, by call chain; undefined outside loops. */
function chainOf(env: Env, state: State): string | undefined {
  if (state.loopChain === null) state.loopChain = findChain(env, state);
  return state.loopChain;
}

function findChain(env: Env, state: State): string | undefined {
  let chain = "(";
  for (let frameno = 0; frameno < state.frames.length; frameno++) {
    const insnIdx = frameInsnIdx(state, frameno);
    const loop = env.scc[insnIdx] as number;
    if (loop !== 0) return `${chain}${loop})`;
    chain += `${insnIdx},`;
  }
  return undefined;
}

function updatePeak(env: Env): void {
  env.peakStates = Math.max(env.peakStates, env.exploredCount + env.freeListCount + env.backedgeCount);
}

/** Notes that a checkpoint is the first of its path inside a loop. */
export function enterLoop(env: Env, state: State): void {
  const chain = chainOf(env, state);
  if (chain === undefined) return;
  let visit = env.loopVisits.get(chain);
  if (visit === undefined) {
    visit = { entry: null, backedges: [] };
    env.loopVisits.set(chain, visit);
  }
  if (visit.entry !== null) return;
  visit.entry = state;
  if (env.log.isVerbose) env.log.write(`SCC enter ${chain}\n`);
}

/** When all paths from the loop's first checkpoint are walked, precision flows around the loop until nothing changes. */
export function leaveLoop(env: Env, state: State): void {
  const chain = chainOf(env, state);
  const visit = chain === undefined ? undefined : env.loopVisits.get(chain);
  if (visit === undefined || visit.entry !== state) return;
  if (env.log.isVerbose) env.log.write(`SCC exit ${chain}\n`);
  visit.entry = null;
  env.backedgeCount -= visit.backedges.length;
  updatePeak(env);
  for (let round = 0; ; round++) {
    if (round > MAX_ROUNDS) {
      if (env.log.isVerbose) env.log.write("propagate_backedges: too many iterations\n");
      for (const edge of visit.backedges) forceAllPrecise(env, edge);
      break;
    }
    const result = { hasChanged: false };
    for (let i = visit.backedges.length - 1; i >= 0; i--) {
      const edge = visit.backedges[i] as State;
      if (edge.equalState !== null) propagatePrecision(env, edge.equalState, edge, result);
    }
    if (!result.hasChanged) break;
  }
  visit.backedges = [];
}

/** Remembers the state that closed a loop at an equal checkpoint. */
export function addBackedge(env: Env, old: State, cur: State): void {
  const chain = chainOf(env, old);
  const visit = chain === undefined ? undefined : env.loopVisits.get(chain);
  if (visit === undefined) return;
  if (env.log.isVerbose) env.log.write(`SCC backedge ${chain}\n`);
  const edge = copyState(cur);
  edge.equalState = old;
  visit.backedges.push(edge);
  env.backedgeCount++;
  updatePeak(env);
}

/** Says whether a checkpoint's precision marks may still grow: it lies in a loop with open edges. */
export function areMarksIncomplete(env: Env, state: State): boolean {
  if (env.backedgeCount === 0) return false;
  const chain = chainOf(env, state);
  const visit = chain === undefined ? undefined : env.loopVisits.get(chain);
  return visit !== undefined && visit.backedges.length > 0;
}
