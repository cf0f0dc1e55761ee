import { CUSTOM_HELPER_ID_FIRST, ERRNO, protoByName } from "@tsbpf/abi";
import { TsbpfError } from "@tsbpf/base";
import { kernelHelpers } from "@tsbpf/helpers";
import { arg, defineHelper, type HelperEnv, type HelperPlugin, ret } from "@tsbpf/plugin";
import { describeThrown, fault } from "./fault.ts";
import { checkAnswer, guarded, shieldHelper } from "./helper-shield.ts";
import type { Session } from "./session.ts";

const NAMED = /^([A-Za-z_]\w*)\s*=(?!=|>)\s*(.+)$/s;

/** What a typed helper may use. */
const NAMES: Readonly<Record<string, unknown>> = { arg, ret, defineHelper, errno: ERRNO };

type Body = (...values: readonly (bigint | HelperEnv)[]) => unknown;

/**
 * Defines or replaces a helper from its text; answers what was done.
 *
 * @throws REPL_HELPER, PLUGIN_HELPER (InputError) for a text that is no helper.
 */
export async function defineAtPrompt(session: Session, text: string): Promise<string> {
  try {
    return await define(session, text);
  } catch (thrown) {
    if (thrown instanceof TsbpfError) throw thrown;
    // Getters and proxies may throw anything when the definition is looked at.
    throw fault("REPL_HELPER", `the definition cannot be used: ${describeThrown(thrown)}`);
  }
}

async function define(session: Session, text: string): Promise<string> {
  if (text === "")
    throw fault("REPL_USAGE", "usage: .helper NAME = (r1, r2) => VALUE, or .helper { id, name, args, … }");
  const named = NAMED.exec(text);
  if (named === null) return install(session, toPlugin(await evaluate(session, text)));
  const value = await evaluate(session, named[2] ?? "");
  if (typeof value !== "function") return install(session, toPlugin(value));
  return install(session, ofFunction(session, named[1] ?? "", value as Body));
}

/** Evaluates an expression as JavaScript, and as TypeScript when it is none. */
async function evaluate(session: Session, text: string): Promise<unknown> {
  const expression = text.trim().replace(/;$/, "");
  try {
    const make = new Function(...Object.keys(NAMES), `"use strict"; return (${expression}\n);`);
    return guarded("the text", () => make(...Object.values(NAMES)), session.host);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const { evalTypeScript } = session.host;
    if (evalTypeScript === undefined)
      throw fault("REPL_HELPER", `the text is no JavaScript: ${error.message}`);
    return await evalTypeScript(expression, NAMES);
  }
}

function toPlugin(value: unknown): HelperPlugin {
  if (typeof value !== "object" || value === null)
    throw fault("REPL_HELPER", `${typeof value} found, a function or a definition needed`);
  if ("proto" in value && "args" in value) return value as HelperPlugin;
  if (!("name" in value) || !("id" in value))
    throw fault("REPL_HELPER", "a definition needs id, name, args, returns and call");
  const defaults = { summary: "Defined at the prompt.", args: [], returns: ret.u64() };
  return defineHelper({ ...defaults, ...value } as never);
}

/** Makes a helper of a function of r1..r5: in the place of one that exists, or a new one of numbers. */
function ofFunction(session: Session, name: string, body: Body): HelperPlugin {
  const known = findHelper(session, name);
  const proto = known?.proto ?? protoByName(name) ?? protoByName(`bpf_${name}`);
  const raw = rawOf(body);
  if (proto !== undefined && proto.since !== "custom") {
    return defineHelper({ proto, summary: `Replaced at the prompt: ${known?.summary ?? ""}`, raw });
  }
  const names = parameterNames(body);
  const isTakingEnv = body.length > 5;
  if (isTakingEnv && body.length > 6)
    throw fault("REPL_HELPER", `${body.length} parameters found, five and env allowed`);
  const count = Math.min(5, body.length);
  const args = Array.from({ length: count }, (_, i) => arg.u64(names[i] ?? `arg${i + 1}`));
  const id = known?.proto.id ?? freeId(session);
  return defineHelper({
    id,
    name,
    summary: "Defined at the prompt.",
    args,
    returns: ret.u64(),
    raw,
  } as never);
}

function rawOf(body: Body): NonNullable<HelperPlugin["raw"]> {
  return (regs, env) => {
    const values = [1, 2, 3, 4, 5].map(
      (n) => (BigInt((regs[2 * n + 1] ?? 0) >>> 0) << 32n) | BigInt((regs[2 * n] ?? 0) >>> 0),
    );
    const result = checkAnswer(body(...values, env)) ?? 0n;
    if (typeof result !== "bigint" && !Number.isInteger(result)) {
      const found = describeThrown(result).slice(0, 40);
      throw fault("REPL_HELPER", `${found} returned, a whole number or bigint needed`);
    }
    const value = BigInt(result as bigint | number);
    regs[0] = Number(BigInt.asIntN(32, value));
    regs[1] = Number(BigInt.asIntN(32, value >> 32n));
  };
}

/** Names of the parameters as the text gives them, for help. */
function parameterNames(body: Body): string[] {
  const text = body.toString();
  const found = /^(?:async\s*)?(?:function\s*\w*\s*)?\(([^)]*)\)/.exec(text) ?? /^(\w+)\s*=>/.exec(text);
  const names = (found?.[1] ?? "").split(",").map((part) => part.trim().replace(/[^\w].*$/s, ""));
  return new Set(names).size === names.length
    ? names.map((one, i) => (/^[A-Za-z_]\w*$/.test(one) ? one : `arg${i + 1}`))
    : [];
}

const findHelper = ({ vm }: Session, name: string): HelperPlugin | undefined =>
  vm.registry.helpersByName.get(name) ?? vm.registry.helpersByName.get(`bpf_${name}`);

function freeId({ vm }: Session): number {
  let id = CUSTOM_HELPER_ID_FIRST;
  while (vm.registry.helpersById.has(id)) id++;
  return id;
}

function install(session: Session, given: HelperPlugin): string {
  const { registry } = session.vm;
  const plugin = shieldHelper(given, session.host);
  const isKnown = registry.helpersById.has(plugin.proto.id);
  registry.add({ helpers: [plugin] });
  const names = plugin.args.map((one) => one.name).join(", ");
  return `helper ${plugin.proto.name}(${names}), number ${plugin.proto.id}${isKnown ? ", replaced" : ""}`;
}

/** Takes a helper away, or puts the kernel's back. */
export function forgetHelper(session: Session, name: string): string {
  const known = findHelper(session, name);
  if (known === undefined) throw fault("REPL_HELPER", `no helper ${name}`);
  const original = kernelHelpers.find((one) => one.proto.id === known.proto.id);
  const { registry } = session.vm;
  if (original === known)
    throw fault("REPL_HELPER", `${known.proto.name} is the kernel's own, nothing to take away`);
  registry.removeHelper(known);
  if (original !== undefined) registry.add({ helpers: [original] });
  return original === undefined ? `${known.proto.name} is gone` : `${known.proto.name} is the kernel's again`;
}
