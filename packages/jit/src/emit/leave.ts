import { PACKET_DESC } from "../batch-layout.ts";
import type { Frame } from "../ir/graph.ts";
import { CELL } from "../run/cell.ts";
import { OP } from "../wasm/opcodes.ts";
import { BATCH_LOCAL, type Emitter } from "./emitter.ts";

/**
 * Leaves the function that is emitted with r0; the count was flushed. A main function leaves the whole of r0 in the
 * exchange block and returns its low half, so that nobody needs a BigInt.
 *
 * @param nesting - labels opened around it that the structure does not know of.
 */
export function emitReturn(e: Emitter, frame: Frame, nesting = 0): void {
  const { code } = e;
  if (e.role === "batch") {
    code.get(BATCH_LOCAL.at);
    e.pushLow(frame, 0);
    code.memory(OP.i32Store, PACKET_DESC.verdict);
    code.br(e.depth + nesting);
    return;
  }
  if (e.role === "repeat") {
    // The result stays in r0.
    code.br(e.depth + nesting);
    return;
  }
  if (e.role === "func") {
    code.get(e.reg(frame, 0));
    code.op(OP.return);
    return;
  }
  e.pushCell();
  code.get(e.reg(frame, 0));
  code.memory(OP.i64Store, CELL.regs);
  code.get(e.reg(frame, 0));
  code.op(OP.i32WrapI64);
  code.op(OP.return);
}

/**
 * Leaves the function with what is in the exchange block.
 *
 * @param nesting - labels opened around it that the structure does not know of.
 */
export function emitReturnCell(e: Emitter, nesting: number): void {
  const { code } = e;
  if (e.role === "batch") {
    code.get(BATCH_LOCAL.at);
    e.pushCell();
    code.memory(OP.i32Load, CELL.regs);
    code.memory(OP.i32Store, PACKET_DESC.verdict);
    // What was counted lies in the exchange block.
    code.get(BATCH_LOCAL.at);
    code.i32(0);
    code.memory(OP.i32Store, PACKET_DESC.insnCount);
    code.br(e.depth + nesting);
    return;
  }
  e.pushCell();
  code.memory(e.role === "func" ? OP.i64Load : OP.i32Load, CELL.regs);
  code.op(OP.return);
}
