import type { BpfMap, HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { mapArg } from "./map-arg.ts";
import { fail, R2, R3, R4, s32, setS32, setU32, u32 } from "./regs.ts";

/** @source linux uapi/linux/bpf.h enum sk_action, BPF_F_INGRESS */
const DROP = 0;
const PASS = 1;
const INGRESS = 1;
/** @source linux uapi/linux/bpf.h BPF_SOCK_OPS_ALL_CB_FLAGS */
const CALLBACK_FLAGS = 127;
/** Offsets in `bpf_sock_ops`. */
const IS_FULLSOCK = 72;
const CB_FLAGS = 84;

function passTo(regs: Int32Array, env: HelperEnv, map: BpfMap, key: number): void {
  if (env.effects.isOn) {
    const target = { map: map.spec.name, key: BigInt(key) };
    env.effects.record({ kind: "redirect", target, flags: BigInt(u32(regs, R4)) });
  }
  setU32(regs, PASS);
}

/** Sends the data to the socket of a slot; a socket map whose slot is empty drops it. */
const redirectByIndex: RawHelper = (regs, env) => {
  const map = mapArg(regs, R2, env);
  const index = u32(regs, R3);
  const isFlagged = (u32(regs, R4) & ~INGRESS) !== 0 || regs[R4 + 1] !== 0;
  if (isFlagged || map.hostSlots?.objectAt(index) === undefined) return setU32(regs, DROP);
  passTo(regs, env, map, index);
};

/** Sends the data to the socket of a key. */
const redirectByKey: RawHelper = (regs, env) => {
  const map = mapArg(regs, R2, env);
  const isFlagged = (u32(regs, R4) & ~INGRESS) !== 0 || regs[R4 + 1] !== 0;
  if (isFlagged || map.lookup(u32(regs, R3), env.cpu) === 0) return setU32(regs, DROP);
  passTo(regs, env, map, u32(regs, R3));
};

const selectReuseport: RawHelper = (regs, env) => {
  const map = mapArg(regs, R2, env);
  const key = env.memory.view.getUint32(u32(regs, R3), true);
  if (map.hostSlots?.objectAt(key) === undefined) return fail(regs, "ENOENT");
  if (env.effects.isOn) {
    env.effects.record({ kind: "custom", name: "sk_select_reuseport", data: { map: map.spec.name, key } });
  }
  setU32(regs, 0);
};

const setCallbackFlags: RawHelper = (regs, env) => {
  const { view } = env.memory;
  if (env.progType !== "sock_ops" || view.getUint32(env.ctxAddress + IS_FULLSOCK, true) === 0) {
    return fail(regs, "EINVAL");
  }
  const flags = s32(regs, R2);
  view.setUint32(env.ctxAddress + CB_FLAGS, flags & CALLBACK_FLAGS, true);
  setS32(regs, flags & ~CALLBACK_FLAGS);
};

const noteBytes =
  (name: string): RawHelper =>
  (regs, env) => {
    if (env.effects.isOn) env.effects.record({ kind: "custom", name, data: u32(regs, R2) });
    setU32(regs, 0);
  };

/** Helpers of programs on sockets that the host stored in maps. */
export const sockRedirectHelpers: readonly HelperPlugin[] = [
  kernelHelper(52, "Sends the data to a socket of a map.", redirectByIndex),
  kernelHelper(59, "Chooses the events that call the program.", setCallbackFlags),
  kernelHelper(60, "Sends the message to a socket of a map.", redirectByIndex),
  kernelHelper(61, "Lets the verdict count for so many bytes.", noteBytes("msg_apply_bytes")),
  kernelHelper(62, "Waits with the verdict for so many bytes.", noteBytes("msg_cork_bytes")),
  kernelHelper(71, "Sends the message to a socket of a hash map.", redirectByKey),
  kernelHelper(72, "Sends the data to a socket of a hash map.", redirectByKey),
  kernelHelper(82, "Chooses the socket that gets the packet.", selectReuseport),
];
