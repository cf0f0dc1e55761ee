/** A field of a context struct as user space sees it. */
export interface CtxField {
  readonly name: string;
  readonly offset: number;
  readonly sizeBytes: number;
  /** Elements of an array field; 1 otherwise. */
  readonly count: number;
  /** What a load of the whole field gives. */
  readonly holds: "scalar" | "packet" | "packet_end" | "packet_meta" | "pointer";
  /** What a pointer field points to: `sock_common`, `sock`, `flow_keys`, or the name of a kernel type. */
  readonly points?: string;
  /** Whether a pointer field may hold null. */
  readonly nullable?: boolean;
}

/** A context struct in its uapi layout. */
export interface CtxLayout {
  /** C name, e.g. `xdp_md`. */
  readonly struct: string;
  readonly sizeBytes: number;
  readonly fields: readonly CtxField[];
}
