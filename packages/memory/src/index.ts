export type {
  AllocOptions,
  LinearMemoryOptions,
  MemorySpan,
  SavedMemory,
  SharedMemory,
} from "./linear-memory.ts";
export { GUARD_BYTES, LinearMemory, WASM_PAGE_BYTES } from "./linear-memory.ts";
export type { PacketBufferOptions, PacketFields } from "./packet-buffer.ts";
export { PacketBuffer } from "./packet-buffer.ts";
export type { Cells, CellWindow, LiveRegion, MemoryRegionKind, Region } from "./region.ts";
export { PERM } from "./region.ts";
export type { SavedRegions } from "./region-table.ts";
export { RegionTable } from "./region-table.ts";
export type { AccessFault } from "./space.ts";
export { canAccess, checkRange } from "./space.ts";
export { giveSpinLock, sleepOn, takeSpinLock } from "./spin-lock.ts";
