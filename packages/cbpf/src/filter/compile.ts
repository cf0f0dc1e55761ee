import type { CbpfInsn } from "../insn.ts";
import { CBPF } from "../rows.ts";
import { FilterError, FilterFault, fault } from "./errors.ts";
import { generate } from "./generate/expression.ts";
import { type LinkLayer, linkLayerNamed } from "./generate/link.ts";
import { createState, type FilterOptions } from "./generate/state.ts";
import { type Block, close, newBlock } from "./ir.ts";
import { layOut } from "./layout.ts";
import { countBlocks } from "./optimize/graph.ts";
import { optimize } from "./optimize/optimize.ts";
import { parseFilter } from "./text/parser.ts";

/** Bytes that a filter returns for packets it takes, tcpdump's `-s`. */
export const DEFAULT_SNAPLEN = 262_144;

/** Characters of a filter's text at most. */
export const FILTER_CHARACTERS_MAX = 65_536;

/** Blocks of a filter at most: optimising costs more than their square. */
export const FILTER_BLOCKS_MAX = 12_000;

/**
 * Compiles a filter expression of pcap-filter(7) to classic BPF, to the same instructions as libpcap 1.10.
 *
 * @param text - the expression; an empty one takes every packet.
 * @throws FILTER_… (FilterError) naming what does not fit and where, in tcpdump's words where it has some.
 * @example
 * printCbpfListing(compileFilter("tcp port 80 and not host 10.0.0.1"));
 */
export function compileFilter(text: string, options: FilterOptions = {}): CbpfInsn[] {
  try {
    return compile(text, options);
  } catch (thrown) {
    if (!(thrown instanceof FilterFault)) throw thrown;
    const place = thrown.place ?? { start: 0, end: text.length };
    throw new FilterError(thrown.code, thrown.message, text, place);
  }
}

const ETHERNET: LinkLayer = linkLayerNamed("EN10MB");

function compile(text: string, options: FilterOptions): CbpfInsn[] {
  if (text.length > FILTER_CHARACTERS_MAX) {
    const found = `${text.length} characters found`;
    fault("FILTER_LENGTH", `${found}, ${FILTER_CHARACTERS_MAX} allowed`, {
      start: FILTER_CHARACTERS_MAX,
      end: text.length,
    });
  }
  const snaplen = options.snaplen ?? DEFAULT_SNAPLEN;
  const expression = parseFilter(text);
  const accept = newBlock([], CBPF.retK, snaplen);
  if (expression === undefined) return layOut(accept);
  const state = createState(options, options.link ?? ETHERNET);
  const root = close(generate(state, expression), accept, newBlock([], CBPF.retK, 0));
  const blocks = countBlocks(root);
  if (blocks > FILTER_BLOCKS_MAX) {
    fault("FILTER_TOO_COMPLEX", `${blocks} tests found, ${FILTER_BLOCKS_MAX} allowed`);
  }
  if (options.optimize === false || !state.canOptimize) return layOut(root);
  const optimized = optimize(root);
  if (rejectsAll(optimized)) fault("FILTER_REJECTS_ALL", "expression rejects all packets");
  return layOut(optimized);
}

const rejectsAll = ({ code, k }: Block): boolean => code === CBPF.retK && k === 0;
