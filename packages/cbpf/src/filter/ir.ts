/**
 * The form between filter text and classic code: blocks of statements that end in a test or a return, and conditions,
 * which are parts of a flow graph whose two ways out are still open.
 */

/** One statement of a block; deleted ones keep their place with the code {@link NOP}. */
export interface Stmt {
  code: number;
  k: number;
  /** Of a test inside a block: where it leads, statements of the same list. */
  whenTrue?: Stmt;
  whenFalse?: Stmt;
}

export const NOP = -1;

export const stmt = (code: number, k = 0): Stmt => ({ code, k: k >>> 0 });

/** Statements, then a test with two successors, or a return with none. */
export interface Block {
  stmts: Stmt[];
  code: number;
  k: number;
  whenTrue: Block | undefined;
  whenFalse: Block | undefined;
}

export const newBlock = (stmts: Stmt[], code: number, k = 0): Block => ({
  stmts,
  code,
  k: k >>> 0,
  whenTrue: undefined,
  whenFalse: undefined,
});

/** One way out of a block that leads nowhere yet. */
interface Exit {
  readonly block: Block;
  readonly side: "whenTrue" | "whenFalse";
}

/** A part of the graph that asks a yes-no question. */
export interface Condition {
  readonly head: Block;
  readonly yes: Exit[];
  readonly no: Exit[];
}

/** Makes a condition of one test. */
export function test(stmts: Stmt[], code: number, k = 0): Condition {
  const block = newBlock(stmts, code, k);
  return { head: block, yes: [{ block, side: "whenTrue" }], no: [{ block, side: "whenFalse" }] };
}

const lead = (exits: readonly Exit[], target: Block): void => {
  for (const { block, side } of exits) block[side] = target;
};

/** Joins lists whose order does not matter, by copying the shorter one. */
function join(a: Exit[], b: Exit[]): Exit[] {
  const [long, short] = a.length >= b.length ? [a, b] : [b, a];
  for (const exit of short) long.push(exit);
  return long;
}

/** Asks `a`, then `b` where `a` holds. Both conditions are used up. */
export function both(a: Condition, b: Condition): Condition {
  lead(a.yes, b.head);
  return { head: a.head, yes: b.yes, no: join(a.no, b.no) };
}

/** Asks `a`, then `b` where `a` does not hold. Both conditions are used up. */
export function either(a: Condition, b: Condition): Condition {
  lead(a.no, b.head);
  return { head: a.head, yes: join(a.yes, b.yes), no: b.no };
}

/** Swaps the ways out. */
export const not = ({ head, yes, no }: Condition): Condition => ({ head, yes: no, no: yes });

/** Asks conditions from first to last until one does not hold. */
export const all = (first: Condition, ...rest: readonly Condition[]): Condition => rest.reduce(both, first);

/** Asks conditions from first to last until one holds. */
export const any = (first: Condition, ...rest: readonly Condition[]): Condition => rest.reduce(either, first);

/** Closes a graph: what to do when the condition holds, and when not. */
export function close(condition: Condition, yes: Block, no: Block): Block {
  lead(condition.yes, yes);
  lead(condition.no, no);
  return condition.head;
}
