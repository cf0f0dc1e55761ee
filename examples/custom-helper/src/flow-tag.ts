import { arg, defineHelper, ret } from "@tsbpf/plugin";

const ENOENT = 2;

/** A helper of our own: it copies the tag that a map stores for a flow into the program's buffer. */
export const flowTag = defineHelper({
  id: 0x1_0001,
  name: "flow_tag",
  summary: "Copy the tag stored for a flow into a caller buffer.",
  args: [
    arg.map("tags"),
    arg.mapKey("flow", { of: "tags" }),
    arg.memOut("out", { size: "out_len" }),
    arg.size("out_len", { min: 1n, max: 64n }),
    arg.u64("flags", { max: 0n }),
  ],
  returns: ret.errno(),
  progTypes: ["xdp", "sched_cls"],
  call({ tags, flow, out }, env) {
    const hit = tags.lookup(flow);
    if (hit === null) return -ENOENT;
    out.set(hit.bytes.subarray(0, out.length));
    env.count("flow_tag.hit");
    return 0;
  },
});
