/** A map's value in a case: bytes as hex, another map, a fresh inner map, or a program for a prog array. */
export type KernelMapValue =
  | string
  | { readonly map: number }
  | { readonly inner: true }
  | { readonly prog: KernelCase };

/** A map to create before the program is loaded; sizes in bytes, numbers as in uapi. */
export interface KernelMap {
  readonly type: number;
  readonly key_size?: number;
  readonly value_size?: number;
  readonly max_entries?: number;
  readonly flags?: number;
  readonly name?: string;
  readonly map_extra?: number;
  readonly numa_node?: number;
  readonly btf?: string;
  readonly btf_key_type_id?: number;
  readonly btf_value_type_id?: number;
  readonly freeze?: boolean;
  readonly inner?: KernelMap;
  readonly init?: readonly (readonly [keyHex: string, value: KernelMapValue])[];
  /** False leaves the map out of every answer. */
  readonly dump?: boolean;
  /** Pages (a power of two) of a perf buffer to put behind a perf event array; its samples are dumped. */
  readonly perf_pages?: number;
}

/** One BPF_PROG_TEST_RUN; bytes as hex. */
export interface KernelRun {
  readonly data?: string;
  readonly ctx?: string;
  /** Runs over the same packet, 1..2^24; what a run changes, the next one sees. */
  readonly repeat?: number;
  /** Test runs with these inputs, each with a fresh packet and an answer of its own. */
  readonly runs?: number;
  readonly data_size_out?: number;
  readonly ctx_size_out?: number;
  readonly flags?: number;
  readonly cpu?: number;
  /** Adds the maps after this run to its answer. */
  readonly dump?: boolean;
}

/** A question to the kernel: would it load this program, and what does it do? README.md explains the fields. */
export interface KernelCase {
  readonly name?: string;
  readonly prog_type: number | string;
  readonly expected_attach_type?: number;
  readonly insns: string;
  readonly maps?: readonly KernelMap[];
  readonly fixups?: readonly { readonly insn: number; readonly map: number; readonly off?: number }[];
  readonly kfuncs?: readonly { readonly insn: number; readonly name: string }[];
  readonly ksyms?: readonly { readonly insn: number; readonly name: string; readonly kind?: string }[];
  readonly btf?: string;
  readonly func_info?: string;
  readonly func_info_rec_size?: number;
  readonly line_info?: string;
  readonly line_info_rec_size?: number;
  readonly attach_btf?: { readonly name: string; readonly kind?: string };
  /** Program that this one extends: it is loaded first, and `func` of its own types is what is replaced. */
  readonly target?: { readonly prog: KernelCase; readonly func: string };
  readonly license?: string;
  readonly log_level?: number;
  readonly flags?: number;
  readonly prog_name?: string;
  readonly run?: KernelRun | readonly KernelRun[];
  /** Adds the maps after every run to that run's answer. */
  readonly dump_each?: boolean;
  /** Seconds, 20 when absent. */
  readonly timeout?: number;
}

/** Entries of a map; of a ring or perf buffer the records, with an empty key. Null where not dumped. */
export type KernelMapDump = readonly (readonly [keyHex: string, value: string | number])[] | null;

export interface KernelRunAnswer {
  readonly errno: number;
  readonly errname?: string;
  readonly retval: number;
  readonly duration_ns: number;
  readonly data_out?: string;
  readonly ctx_out?: string;
  readonly maps?: readonly KernelMapDump[];
}

/** What the kernel said; `retval`, `data_out` and `ctx_out` are those of the first run. */
export interface KernelAnswer {
  readonly name: string | null;
  readonly loaded: boolean;
  readonly errno: number;
  readonly errname?: string;
  /** What failed before the load; then there is no verdict. */
  readonly error?: string;
  readonly log?: string;
  readonly errline?: string;
  readonly processed_insns?: number;
  readonly verified_insns?: number;
  readonly retval?: number;
  readonly data_out?: string;
  readonly ctx_out?: string;
  readonly duration_ns?: number;
  readonly runs?: readonly KernelRunAnswer[];
  readonly maps?: readonly KernelMapDump[];
  readonly load_ns?: number;
  readonly timed_out?: boolean;
}
