export type { Ancillary, AncillaryName } from "./ancillary.ts";
export {
  ANCILLARIES,
  ANCILLARY_OFFSET,
  ancillaryK,
  ancillaryOf,
  LINK_OFFSET,
  NETWORK_OFFSET,
} from "./ancillary.ts";
export type { CbpfCheckCode, CbpfCheckOptions, CbpfIssue } from "./check.ts";
export { CBPF_CHECK_CODES, checkCbpf, findCbpfIssue } from "./check.ts";
export {
  compileFilter,
  DEFAULT_SNAPLEN,
  FILTER_BLOCKS_MAX,
  FILTER_CHARACTERS_MAX,
} from "./filter/compile.ts";
export type { FilterErrorCode, FilterPlace } from "./filter/errors.ts";
export { FILTER_ERROR_CODES, FilterError } from "./filter/errors.ts";
export type { LinkKind, LinkLayer } from "./filter/generate/link.ts";
export { LINK_LAYERS, linkLayerNamed, linkLayerOf } from "./filter/generate/link.ts";
export type { FilterNames, FilterOptions } from "./filter/generate/state.ts";
export type { CbpfInsn } from "./insn.ts";
export { CBPF_INSNS_MAX, makeCbpf, SCRATCH_WORDS } from "./insn.ts";
export { CBPF_TEXT_CODES, type CbpfTextCode } from "./parse/errors.ts";
export { isCbpfText, parseCbpf } from "./parse/text.ts";
export { printCbpfDecimal, printCbpfFragment } from "./print/dump.ts";
export { printCbpfInsn, printCbpfListing } from "./print/listing.ts";
export { reachOf } from "./reach.ts";
export type { CbpfAction, CbpfAluOp, CbpfCondition, CbpfRow } from "./rows.ts";
export { CBPF, CBPF_ROWS, cbpfRowOf } from "./rows.ts";
export { type CbpfPacket, type CbpfRunOptions, runCbpf } from "./run.ts";
export { FRAME_REACH_BYTES } from "./translate/frame-form.ts";
export { type CbpfForm, type TranslateOptions, translateCbpf } from "./translate/translate.ts";
