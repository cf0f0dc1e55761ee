import { protoOf } from "@tsbpf/abi";
import { TrapError } from "@tsbpf/base";
import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { isSkbType } from "./skb.ts";

/**
 * Ends a run that calls a helper on a context of another kind. The verifier refuses such programs; without it the
 * helper would read and write where its own context keeps other things.
 */
function wrongContext(id: number, env: HelperEnv, needed: string): TrapError {
  const name = protoOf(id)?.name ?? `helper ${id}`;
  return new TrapError(
    "RUN_HELPER_CONTEXT",
    `${name} needs a context of ${needed}, this one is of ${env.progType}`,
    {
      details: { name, progType: env.progType },
    },
  );
}

/** Implements a kernel helper that works on the context `__sk_buff`. */
export function skbHelper(id: number, summary: string, raw: RawHelper): HelperPlugin {
  return kernelHelper(id, summary, (regs, env) => {
    if (!isSkbType(env)) throw wrongContext(id, env, "__sk_buff");
    raw(regs, env);
  });
}

/** Implements a kernel helper that works on the context `xdp_md`. */
export function xdpHelper(id: number, summary: string, raw: RawHelper): HelperPlugin {
  return kernelHelper(id, summary, (regs, env) => {
    if (env.progType !== "xdp") throw wrongContext(id, env, "xdp_md");
    raw(regs, env);
  });
}
