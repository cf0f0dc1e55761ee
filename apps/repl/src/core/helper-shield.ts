import { InputError, TsbpfError } from "@tsbpf/base";
import type { HelperPlugin } from "@tsbpf/plugin";
import { RunSignal } from "@tsbpf/runtime";
import { describeThrown, fault } from "./fault.ts";
import type { ReplHost } from "./host.ts";

const C_NAME = /^[A-Za-z_]\w*$/;

/** Says what of a definition that came from the prompt cannot be used; undefined when all can. */
function flawOf({ proto, args, call, raw }: HelperPlugin): string | undefined {
  if (!Number.isSafeInteger(proto.id) || proto.id <= 0) return "no number as id";
  if (typeof proto.name !== "string" || !C_NAME.test(proto.name)) return "no C identifier as name";
  for (const list of [proto.args, args]) {
    if (!Array.isArray(list) || list.length > 5) return "no list of at most five arguments";
    if (!list.every((one) => typeof one?.kind === "string" && typeof one.name === "string"))
      return "an argument that arg.u64 and its like did not make";
  }
  if (typeof proto.ret?.kind !== "string") return "a result that ret.u64 and its like did not make";
  const given = [call, raw].filter((one) => one !== undefined);
  return given.length === 1 && typeof given[0] === "function" ? undefined : "no function that does the work";
}

/**
 * Lets a helper from the prompt do no more than end the run: what it throws becomes a text, and one that does not
 * answer is stopped where the host can.
 *
 * @throws REPL_HELPER (InputError) for a definition that cannot be used.
 */
export function shieldHelper(plugin: HelperPlugin, host: ReplHost): HelperPlugin {
  const flaw = flawOf(plugin);
  if (flaw !== undefined) throw fault("REPL_HELPER", `the definition has ${flaw}`);
  const { call, raw } = plugin;
  const shield =
    <A extends readonly unknown[], R>(work: (...args: A) => R) =>
    (...args: A): R =>
      guarded("the helper", () => checkAnswer(work(...args)), host);
  return {
    ...plugin,
    ...(call === undefined ? {} : { call: shield(call) }),
    ...(raw === undefined ? {} : { raw: shield(raw) }),
  };
}

/**
 * Evaluates what came from the prompt, for as long as the host allows; whatever it throws becomes an error with a text.
 *
 * @param what - who throws, e.g. `the helper`.
 */
export function guarded<T>(what: string, work: () => T, host: ReplHost): T {
  try {
    return host.guard === undefined ? work() : host.guard(work);
  } catch (thrown) {
    if (thrown instanceof TsbpfError || thrown instanceof RunSignal || thrown instanceof SyntaxError)
      throw thrown;
    throw new InputError("REPL_HELPER", `${what} threw ${describeThrown(thrown)}`, { cause: thrown });
  }
}

/** @throws REPL_HELPER (InputError) for a promise, which nobody would wait for. */
export function checkAnswer<T>(answer: T): T {
  if (typeof answer !== "object" || answer === null || !("then" in answer)) return answer;
  // Nobody waits for it; if it fails, that is no failure of the REPL.
  Promise.resolve(answer).catch(() => {});
  throw fault("REPL_HELPER", "a promise returned, helpers answer at once");
}
