/** Indices of what generated code calls: imports of the engine, and the functions of its own module. */
export interface Links {
  /** Address of the exchange block; a constant, so that accesses need no other instruction. */
  readonly cell: number;
  /** Globals: context and frame of the entry that takes nothing. */
  readonly ctx: number;
  readonly stack: number;
  /** Type of a program's main function. */
  readonly mainType: number;
  /** Import that acts on a call, by slot. */
  readonly callAt: ReadonlyMap<number, number>;
  /** Import that looks up, updates or deletes an element of a known map, by slot. */
  readonly mapCallAt: ReadonlyMap<number, number>;
  /** Function of the module, by index of the BPF function. */
  readonly funcs: readonly number[];
  /** Import: the frames are used up; takes the slot. */
  readonly tooDeep: number;
  /** Import: the budget is used up; takes the slot. */
  readonly noBudget: number;
  /** Import: goes on in exact code at a node of a function. */
  readonly goExact: number;
  /** Function of the module that checks an access the long way. */
  readonly checkAccess: number;
  /** Import: the address of packet bytes for a legacy load, or 0. */
  readonly findPacket: number;
  /** Import: checks a jump through a register; takes halves and slot. */
  readonly checkJump: number;
  /** Table of main functions, shared by the programs of a machine. */
  readonly table: number;
}
