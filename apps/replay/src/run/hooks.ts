import type { RunHooks } from "@tsbpf/runtime";

type Name = keyof RunHooks;
type Hook = (...args: never[]) => void;

const NAMES: readonly Name[] = ["onStep", "onMem", "onCall", "onReturn", "onExit"];

/** Makes one set of listeners of several, told in order; undefined when there is none. */
export function combineHooks(sets: readonly RunHooks[]): RunHooks | undefined {
  if (sets.length <= 1) return sets[0];
  const combined: Partial<Record<Name, Hook>> = {};
  for (const name of NAMES) {
    const listeners = sets.flatMap((set) => (set[name] as Hook | undefined) ?? []);
    if (listeners.length === 0) continue;
    combined[name] =
      listeners.length === 1
        ? (listeners[0] as Hook)
        : (...args) => {
            for (const listener of listeners) listener(...args);
          };
  }
  return combined as RunHooks;
}
