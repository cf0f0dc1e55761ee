import { makeProgSpec, type ProgSpec } from "@tsbpf/abi";
import {
  type CbpfInsn,
  compileFilter,
  FilterError,
  type FilterNames,
  linkLayerOf,
  reachOf,
  translateCbpf,
} from "@tsbpf/cbpf";

/** A filter for packets of one link type. */
export interface CompiledFilter {
  /** The classic program, for packets that the other form cannot take. */
  readonly classic: readonly CbpfInsn[];
  /** The same as an `xdp` program; see `translateCbpf`. */
  readonly spec: ProgSpec;
  /** Bytes of a packet's start that the filter reads at most. */
  readonly reachBytes: number;
}

export interface FilterSource {
  readonly text: string;
  readonly names?: FilterNames | undefined;
  /** Whether code is optimised. Default true. */
  readonly optimize?: boolean | undefined;
}

/** What the packets of a capture are, as far as a filter has to know. */
export interface FilterLink {
  readonly linkType: number;
  /** Whether a machine of the other byte order wrote them. */
  readonly isSwapped: boolean;
}

/**
 * Says whether a filter fits packets of a link type.
 *
 * @param isShallow - whether it is enough that they can answer what it asks: its code is not optimised then, which
 *   takes long where it is long, and is what finds out that it takes none.
 */
export function fitsLink({ text, names }: FilterSource, linkType: number, isShallow: boolean): boolean {
  try {
    compileFilter(text, {
      link: linkLayerOf(linkType),
      isFile: true,
      optimize: !isShallow,
      ...(names === undefined ? {} : { names }),
    });
    return true;
  } catch (error) {
    if (error instanceof FilterError) return false;
    throw error;
  }
}

/** Filters are held in userland, where libpcap's rules count and not Linux's. */
const LIBPCAP_RULES = { allowLoops: true, allowAnyOffset: true, insnsMax: 1_000_000 } as const;

/**
 * Compiles a filter for packets of one link type.
 *
 * @throws FILTER_… (FilterError), UNSUPPORTED_LINK_TYPE (UnsupportedError).
 */
export function compileForLink(source: FilterSource, link: FilterLink): CompiledFilter {
  const { names } = source;
  const classic = compileFilter(source.text, {
    link: linkLayerOf(link.linkType),
    isFile: true,
    isSwapped: link.isSwapped,
    optimize: source.optimize ?? true,
    ...(names === undefined ? {} : { names }),
  });
  const insns = translateCbpf(classic, { form: "frame", ...LIBPCAP_RULES });
  return { classic, spec: makeProgSpec(insns, { name: "filter" }), reachBytes: reachOf(classic) };
}
