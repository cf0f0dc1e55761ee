import type { RawHelper, WasmIntrinsic, WasmLowering } from "@tsbpf/plugin";

/** Helpers that generated code does by itself. */
const INTRINSICS: ReadonlyMap<number, WasmIntrinsic> = new Map([
  [1, "map_lookup_elem"],
  [2, "map_update_elem"],
  [3, "map_delete_elem"],
  [8, "smp_processor_id"],
  [181, "bpf_loop"],
]);

/**
 * Helpers that look at nothing but the low halves of their arguments and do not call back, with how the result widens:
 * generated code calls them with numbers.
 */
const WORDS: ReadonlyMap<number, "u32" | "s32"> = new Map([
  [7, "u32"], // get_prandom_u32
  [26, "s32"], // skb_load_bytes
  [28, "u32"], // csum_diff
  [34, "u32"], // get_hash_recalc
  [39, "s32"], // skb_pull_data
  [42, "u32"], // get_numa_node_id
  [44, "s32"], // xdp_adjust_head
  [54, "s32"], // xdp_adjust_meta
  [65, "s32"], // xdp_adjust_tail
  [68, "s32"], // skb_load_bytes_relative
  [188, "u32"], // xdp_get_buff_len
  [189, "s32"], // xdp_load_bytes
  [190, "s32"], // xdp_store_bytes
]);

const REGISTER_WORDS = 12;
const R1 = 2;

/** Returns how generated code may do what a helper does; undefined when it has to go through the registers. */
export function loweringOf(id: number, raw: RawHelper): WasmLowering | undefined {
  const name = INTRINSICS.get(id);
  if (name !== undefined) return { kind: "intrinsic", name };
  const result = WORDS.get(id);
  if (result === undefined) return undefined;
  return {
    kind: "words",
    result,
    bind: (env) => {
      const regs = new Int32Array(REGISTER_WORDS);
      return (...words) => {
        for (let i = 0; i < words.length; i++) regs[R1 + 2 * i] = words[i] as number;
        raw(regs, env);
        return regs[0] as number;
      };
    },
  };
}

/** Ids of the helpers that have such a way, for tests. */
export const loweredIds: readonly number[] = [...INTRINSICS.keys(), ...WORDS.keys()];
