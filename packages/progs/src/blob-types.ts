import { type CtxLayout, type ProgTypeName, STRUCT_LAYOUTS } from "@tsbpf/abi";
import { defineProgType, type ProgTypePlugin } from "@tsbpf/plugin";
import { BlobContext, type BlobKind } from "./blob.ts";
import { permitVerdict, skVerdict } from "./verdicts.ts";

const noVerdict = (): undefined => undefined;
const L = STRUCT_LAYOUTS;

/** Largest context that user space gives a `syscall` program. @source linux net/bpf test run, U16_MAX */
const SYSCALL_CTX_BYTES = 65_535;
/** Largest event record. @source linux include/linux/trace_events.h PERF_MAX_TRACE_SIZE */
const TRACE_RECORD_BYTES = 8192;

const opaque = (struct: string, sizeBytes: number): CtxLayout => ({ struct, sizeBytes, fields: [] });

const ARGS: BlobKind = { layout: L.bpf_raw_tracepoint_args, maxBytes: L.bpf_raw_tracepoint_args.sizeBytes };

interface BlobType {
  readonly type: ProgTypeName;
  readonly summary: string;
  readonly kind: BlobKind;
  readonly verdictName?: ProgTypePlugin["verdictName"];
}

const define = ({ type, summary, kind, verdictName }: BlobType): ProgTypePlugin =>
  defineProgType({
    type,
    summary,
    source: `linux uapi/linux/bpf.h struct ${kind.layout.struct}`,
    ctx: kind.layout,
    verdictName: verdictName ?? noVerdict,
    createContext: (host) => new BlobContext(host, kind),
  });

const TYPES: readonly BlobType[] = [
  { type: "kprobe", summary: "Runs at a kernel or user function.", kind: { layout: L.pt_regs } },
  {
    type: "tracepoint",
    summary: "Reads the record of a kernel tracepoint.",
    kind: {
      layout: opaque("tracepoint record", TRACE_RECORD_BYTES),
      maxBytes: TRACE_RECORD_BYTES,
    },
  },
  { type: "perf_event", summary: "Runs at a performance event.", kind: { layout: L.bpf_perf_event_data } },
  { type: "raw_tracepoint", summary: "Reads the arguments of a kernel tracepoint.", kind: ARGS },
  {
    type: "raw_tracepoint_writable",
    summary: "Reads and writes the arguments of a kernel tracepoint.",
    kind: ARGS,
  },
  { type: "tracing", summary: "Runs at the entry or exit of a kernel function.", kind: ARGS },
  { type: "lsm", summary: "Decides at a security hook.", kind: ARGS },
  { type: "struct_ops", summary: "Implements a function of a kernel structure.", kind: ARGS },
  {
    type: "syscall",
    summary: "Runs on request of user space.",
    kind: {
      layout: opaque("syscall context", SYSCALL_CTX_BYTES),
      maxBytes: SYSCALL_CTX_BYTES,
      defaultBytes: 0,
    },
  },
  {
    type: "cgroup_sock",
    summary: "Decides about sockets of a cgroup.",
    kind: { layout: L.bpf_sock },
    verdictName: permitVerdict,
  },
  {
    type: "cgroup_sock_addr",
    summary: "Decides about and rewrites addresses of a cgroup's sockets.",
    kind: { layout: L.bpf_sock_addr },
    verdictName: permitVerdict,
  },
  {
    type: "cgroup_device",
    summary: "Decides about device access of a cgroup.",
    kind: { layout: L.bpf_cgroup_dev_ctx },
    verdictName: permitVerdict,
  },
  {
    type: "cgroup_sysctl",
    summary: "Decides about reads and writes of kernel parameters.",
    kind: { layout: L.bpf_sysctl },
    verdictName: permitVerdict,
  },
  {
    type: "cgroup_sockopt",
    summary: "Decides about and rewrites socket options.",
    kind: { layout: L.bpf_sockopt, packetFields: { data: 8, dataEnd: 16, dataMeta: undefined } },
    verdictName: permitVerdict,
  },
  {
    type: "sock_ops",
    summary: "Tunes TCP connections at events of their life.",
    kind: {
      layout: L.bpf_sock_ops,
      packetFields: { data: 192, dataEnd: 200, dataMeta: undefined },
      lengthField: 208,
    },
  },
  {
    type: "sk_msg",
    summary: "Decides about data that a socket of a map sends.",
    kind: {
      layout: L.sk_msg_md,
      packetFields: { data: 0, dataEnd: 8, dataMeta: undefined },
      lengthField: 68,
    },
    verdictName: skVerdict,
  },
  {
    type: "sk_reuseport",
    summary: "Chooses among sockets that share a port.",
    kind: {
      layout: L.sk_reuseport_md,
      packetFields: { data: 0, dataEnd: 8, dataMeta: undefined },
      lengthField: 16,
    },
    verdictName: skVerdict,
  },
  {
    type: "sk_lookup",
    summary: "Chooses the socket that gets a new connection.",
    kind: { layout: L.bpf_sk_lookup },
    verdictName: skVerdict,
  },
  {
    type: "lirc_mode2",
    summary: "Decodes samples of an infrared receiver.",
    kind: { layout: L.lirc_sample },
  },
];

/** Program types whose context is given whole. */
export const blobProgTypes: readonly ProgTypePlugin[] = TYPES.map(define);
