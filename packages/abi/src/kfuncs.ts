import { KFUNCS } from "./kfuncs.gen.ts";
import { ATTACH_TYPES, type ProgTypeName } from "./prog-types.ts";

/** What the verifier must know of a kernel function beyond its C prototype. @source linux Documentation/bpf/kfuncs.rst */
export type KfuncFlag =
  | "acquire"
  | "release"
  | "ret-null"
  | "trusted-args"
  | "sleepable"
  | "destructive"
  | "rcu"
  | "iter-new"
  | "iter-next"
  | "iter-destroy"
  | "rcu-protected"
  | "fastcall";

export interface Kfunc {
  readonly name: string;
  /** C prototype; argument suffixes such as `__sz` carry meaning. */
  readonly signature: string;
  readonly flags: readonly KfuncFlag[];
  /** Program types that may call it; `tracing:iter` stands for iterators alone. */
  readonly progTypes: "all" | readonly (ProgTypeName | "tracing:iter")[];
  readonly since?: string;
}

const BY_NAME: ReadonlyMap<string, Kfunc> = new Map(KFUNCS.map((kfunc) => [kfunc.name, kfunc]));

/** Returns what is known of a kernel function. */
export const kfuncByName = (name: string): Kfunc | undefined => BY_NAME.get(name);

/** Tell the two runs of a session apart; only programs attached as sessions may call them. */
const SESSION_KFUNCS: ReadonlySet<string> = new Set(["bpf_session_cookie", "bpf_session_is_return"]);
const SESSION_ATTACH_TYPES: ReadonlySet<number> = new Set([
  ATTACH_TYPES.trace_kprobe_session,
  ATTACH_TYPES.trace_uprobe_session,
]);

/** Congestion control that programs may build on, which struct_ops alone may call. */
const CONGESTION = /^(tcp_reno_|tcp_slow_start$|tcp_cong_avoid_ai$|cubictcp_|dctcp_|bbr_)/;

/** Says whether Linux lets a program type call a kernel function. */
export function isKfuncAvailable(kfunc: Kfunc, progType: ProgTypeName, attachType: number): boolean {
  if (kfunc.progTypes === "all" || kfunc.progTypes.includes(progType)) return true;
  if (progType === "struct_ops" && CONGESTION.test(kfunc.name)) return true;
  if (SESSION_KFUNCS.has(kfunc.name)) return progType === "kprobe" && SESSION_ATTACH_TYPES.has(attachType);
  return (
    progType === "tracing" &&
    attachType === ATTACH_TYPES.trace_iter &&
    kfunc.progTypes.includes("tracing:iter")
  );
}
