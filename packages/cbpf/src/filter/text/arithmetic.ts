import type { CbpfAluOp } from "../../rows.ts";
import { fault } from "../errors.ts";
import type { TokenReader } from "./reader.ts";
import type { Arithmetic, Relation } from "./tree.ts";
import { isProtocol, type Protocol } from "./words.ts";

const OPERATORS: ReadonlyMap<string, { readonly op: CbpfAluOp; readonly power: number | undefined }> =
  new Map([
    ["|", { op: "or", power: 1 }],
    ["&", { op: "and", power: 2 }],
    ["<<", { op: "lsh", power: 3 }],
    [">>", { op: "rsh", power: 3 }],
    ["+", { op: "add", power: 4 }],
    ["-", { op: "sub", power: 4 }],
    ["*", { op: "mul", power: 5 }],
    ["/", { op: "div", power: 5 }],
    // These two have no rank in the language: what stands behind them binds more tightly than what stands before.
    ["%", { op: "mod", power: undefined }],
    ["^", { op: "xor", power: undefined }],
  ] as const);
const NEGATE_POWER = 6;

const RELATIONS: ReadonlySet<string> = new Set([">", ">=", "=", "<", "<=", "!="] satisfies Relation[]);

const operatorAt = (reader: TokenReader) => {
  const { kind, text } = reader.peek();
  return kind === "word" ? OPERATORS.get(text) : undefined;
};

/** Says whether what comes next goes on with arithmetic that has begun. */
export const isAtOperator = (reader: TokenReader): boolean => operatorAt(reader) !== undefined;

/** Takes a comparison if one comes next. */
export function acceptRelation(reader: TokenReader): Relation | undefined {
  const { kind, text } = reader.peek();
  if (kind !== "word" || !RELATIONS.has(text)) return undefined;
  reader.next();
  return text as Relation;
}

/** Reads arithmetic. */
export const parseArithmetic = (reader: TokenReader): Arithmetic => operand(reader, { isOuter: true });

/** Reads the rest of arithmetic whose first operand has been read. */
export const continueArithmetic = (reader: TokenReader, first: Arithmetic): Arithmetic =>
  continued(reader, first, { isOuter: true });

/** The operator to the left of an operand. */
interface Pending {
  readonly isOuter?: boolean;
  readonly power?: number | undefined;
}

const operand = (reader: TokenReader, pending: Pending): Arithmetic =>
  continued(reader, parsePrimary(reader), pending);

function continued(reader: TokenReader, first: Arithmetic, pending: Pending): Arithmetic {
  let left = first;
  for (;;) {
    const operator = operatorAt(reader);
    if (operator === undefined || !bindsMore(operator.power, pending)) return left;
    reader.next();
    const right = reader.nested(() => operand(reader, { power: operator.power }));
    left = { kind: "binary", op: operator.op, left, right, start: left.start, end: right.end };
  }
}

/** Whether an operator takes the operand before it from the operator to the left of that. */
const bindsMore = (power: number | undefined, pending: Pending): boolean =>
  pending.isOuter === true || power === undefined || pending.power === undefined || power > pending.power;

function parsePrimary(reader: TokenReader): Arithmetic {
  const token = reader.peek();
  const { start } = token;
  if (token.kind === "number") {
    reader.next();
    return { kind: "number", value: token.value, ...reader.since(start) };
  }
  if (token.kind !== "word") return reader.fail();
  if (isProtocol(token.text)) return parseLoad(reader, token.text);
  if (reader.accept("len")) return { kind: "length", ...reader.since(start) };
  if (reader.accept("-")) {
    const of = reader.nested(() => operand(reader, { power: NEGATE_POWER }));
    return { kind: "negate", of, ...reader.since(start) };
  }
  reader.expect("(");
  const inner = reader.nested(() => parseArithmetic(reader));
  reader.expect(")");
  return { ...inner, ...reader.since(start) };
}

const LOAD_BYTES: ReadonlySet<number> = new Set([1, 2, 4]);

/** Reads `protocol[index]` or `protocol[index:bytes]`. */
export function parseLoad(reader: TokenReader, protocol: Protocol): Arithmetic {
  const { start } = reader.next();
  reader.expect("[");
  const index = reader.nested(() => parseArithmetic(reader));
  const size = reader.accept(":") ? reader.expectKind("number") : undefined;
  reader.expect("]");
  const bytes = size?.value ?? 1;
  if (!LOAD_BYTES.has(bytes)) fault("FILTER_ARITHMETIC", "data size must be 1, 2, or 4", size);
  return { kind: "load", protocol, index, bytes, ...reader.since(start) };
}
