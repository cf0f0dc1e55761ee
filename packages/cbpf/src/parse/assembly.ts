import { ANCILLARIES, type AncillaryName, ancillaryK } from "../ancillary.ts";
import { CBPF_JUMP_MAX, type CbpfInsn, makeCbpf } from "../insn.ts";
import { CBPF, CBPF_ALU_OPS, type CbpfAluOp, type CbpfCondition } from "../rows.ts";
import { shown, textFault } from "./errors.ts";

/** An instruction whose jumps may still lead to names. */
interface Draft {
  readonly line: number;
  readonly code: number;
  readonly k: number;
  readonly targets?: readonly [whenTrue: string, whenFalse: string];
}

const BLOCK_COMMENT = /\/\*[\s\S]*?\*\//g;
const LINE_COMMENT = /;.*$/;
const BLANKS = /\s+/g;
const LABEL = /^([A-Za-z_][\w.]*)\s*:\s*/;
const LISTING_INDEX = /^\((\d+)\)\s*/;

const LOADS = { ld: 4, ldh: 2, ldb: 1 } as const;
const ALU_NAMES: ReadonlySet<string> = new Set(CBPF_ALU_OPS);
/** Conditions, and those that are another one's opposite. */
const CONDITIONS: Readonly<Record<string, { readonly is: CbpfCondition; readonly isOpposite: boolean }>> = {
  jeq: { is: "jeq", isOpposite: false },
  jgt: { is: "jgt", isOpposite: false },
  jge: { is: "jge", isOpposite: false },
  jset: { is: "jset", isOpposite: false },
  jne: { is: "jeq", isOpposite: true },
  jneq: { is: "jeq", isOpposite: true },
  jlt: { is: "jge", isOpposite: true },
  jle: { is: "jgt", isOpposite: true },
};
const OTHERS = ["ldi", "ldx", "ldxi", "ldxb", "st", "stx", "ja", "jmp", "neg", "tax", "txa", "ret"];

/** First words of statements. */
const MNEMONICS: ReadonlySet<string> = new Set([
  ...Object.keys(LOADS),
  ...ALU_NAMES,
  ...Object.keys(CONDITIONS),
  ...OTHERS,
]);

const FACTS = new Map<string, AncillaryName>(
  (Object.keys(ANCILLARIES) as AncillaryName[]).flatMap((name) => {
    const { listing, assembly } = ANCILLARIES[name];
    return [
      [listing, name],
      [assembly, name],
    ];
  }),
);
FACTS.set("vlan_pr", "vlanPresent");

interface Statement {
  readonly line: number;
  readonly labels: readonly string[];
  /** Index that a listing gives. */
  readonly index: number | undefined;
  readonly mnemonic: string;
  readonly operand: string;
}

/** Splits text into statements; comments, blank lines and labels without one after them fall away. */
function splitStatements(text: string): { readonly statements: Statement[]; readonly endLabels: string[] } {
  const statements: Statement[] = [];
  let labels: string[] = [];
  const plain = text.replace(BLOCK_COMMENT, (comment) => comment.replace(/[^\n]/g, " "));
  plain.split("\n").forEach((raw, i) => {
    // One blank is as good as many, and forms with several places for blanks would try every split of a long run.
    let rest = raw.replace(LINE_COMMENT, "").trim().replace(BLANKS, " ");
    for (let label = LABEL.exec(rest); label !== null; label = LABEL.exec(rest)) {
      labels.push(label[1] as string);
      rest = rest.slice(label[0].length);
    }
    if (rest === "") return;
    const index = LISTING_INDEX.exec(rest);
    if (index !== null) rest = rest.slice(index[0].length);
    const [mnemonic = ""] = rest.split(/\s+/, 1);
    const operand = rest.slice(mnemonic.length).trim();
    const given = index === null ? undefined : Number(index[1]);
    statements.push({ line: i + 1, labels, index: given, mnemonic, operand });
    labels = [];
  });
  return { statements, endLabels: labels };
}

/** Says whether text reads as classic assembly: only its mnemonics, and a `ret`. */
export function isAssemblyText(text: string): boolean {
  const { statements } = splitStatements(text);
  return (
    statements.some(({ mnemonic, operand }) => mnemonic === "ret" && operand !== "") &&
    statements.every(({ mnemonic }) => MNEMONICS.has(mnemonic))
  );
}

/**
 * Parses classic assembly, in the notation of the kernel's bpf_asm or of `tcpdump -d`.
 *
 * @throws CBPF_MNEMONIC, CBPF_OPERAND, CBPF_LABEL, CBPF_FAR_JUMP (InputError) naming the line.
 */
export function parseAssemblyText(text: string): CbpfInsn[] {
  const { statements, endLabels } = splitStatements(text);
  const places = new Map<string, number>();
  const define = (label: string, at: number, line: number): void => {
    if (places.has(label)) textFault("CBPF_LABEL", `label ${label} is there twice`, line);
    places.set(label, at);
  };
  statements.forEach(({ labels, line, index }, at) => {
    for (const label of labels) define(label, at, line);
    if (index !== undefined && index !== at) {
      textFault("CBPF_LABEL", `instruction ${at} is numbered ${index}`, line);
    }
  });
  for (const label of endLabels) define(label, statements.length, statements.at(-1)?.line ?? 1);
  const isListing = statements.some(({ index }) => index !== undefined);
  return statements.map((statement, at) => resolve(draft(statement, isListing), at, places));
}

function resolve(draft: Draft, at: number, places: ReadonlyMap<string, number>): CbpfInsn {
  const { targets, line, code, k } = draft;
  if (targets === undefined) return makeCbpf(code, k);
  const skips = targets.map((target) => {
    // A number is a place of its own, as listings print it; no target at all is the next instruction.
    const place = target === "" ? at + 1 : /^\d+$/.test(target) ? Number(target) : places.get(target);
    if (place === undefined) return textFault("CBPF_LABEL", `label ${shown(target)} is not there`, line);
    return place - at - 1;
  });
  const [jt = 0, jf = 0] = skips;
  if (code === CBPF.ja) return makeCbpf(code, jt);
  if (Math.min(jt, jf) < 0 || Math.max(jt, jf) > CBPF_JUMP_MAX) {
    textFault("CBPF_FAR_JUMP", `jump over ${jt} and ${jf} instructions, 0..${CBPF_JUMP_MAX} allowed`, line);
  }
  return makeCbpf(code, k, jt, jf);
}

const NUMBER = "(-?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|\\d+))";
const IMMEDIATE = new RegExp(`^#\\s*${NUMBER}$`);
const ABSOLUTE = new RegExp(`^\\[\\s*${NUMBER}\\s*\\]$`);
const INDIRECT = new RegExp(`^\\[\\s*%?x\\s*(?:\\+\\s*${NUMBER}|(-\\s*\\d+))?\\s*\\]$`);
const SCRATCH = new RegExp(`^M\\[\\s*${NUMBER}\\s*\\]$`);
const HEADER_LENGTH = new RegExp(`^4\\s*\\*\\s*\\(\\s*\\[\\s*${NUMBER}\\s*\\]\\s*&\\s*0xf\\s*\\)$`, "i");
const LENGTH = /^(?:#?\s*pktlen|#?\s*len)$/;
const FACT = /^[#[]?\s*([a-z_]+)\s*\]?$/;
const INDEX_REGISTER = /^%?x$/;
const ACCUMULATOR = /^%?a$/;

function numberOf(text: string): number {
  const digits = text.replace(/\s+/g, "");
  const isNegative = digits.startsWith("-");
  const plain = isNegative ? digits.slice(1) : digits;
  const value = /^0[0-7]+$/.test(plain) ? Number.parseInt(plain, 8) : Number(plain);
  return (isNegative ? -value : value) >>> 0;
}

/** Reads the number of an operand form; undefined when the operand has another form. */
function match(form: RegExp, operand: string): number | undefined {
  const found = form.exec(operand);
  if (found === null) return undefined;
  const digits = found[1] ?? found[2];
  return digits === undefined ? 0 : numberOf(digits);
}

type Form = readonly [form: RegExp, code: number];

/** Finds the form that an operand has. */
function firstForm(statement: Statement, forms: readonly Form[]): Draft {
  for (const [form, code] of forms) {
    const k = match(form, statement.operand);
    if (k !== undefined) return { line: statement.line, code, k };
  }
  const found = statement.operand === "" ? "no operand" : `operand ${shown(statement.operand)}`;
  return textFault("CBPF_OPERAND", `${statement.mnemonic} with ${found}`, statement.line);
}

const NOTHING = /^$/;

function draft(statement: Statement, isListing: boolean): Draft {
  const { mnemonic, operand, line } = statement;
  if (mnemonic in LOADS) return draftLoad(statement);
  if (ALU_NAMES.has(mnemonic)) {
    const op = mnemonic as CbpfAluOp;
    return firstForm(statement, [
      [IMMEDIATE, CBPF.alu(op, "k")],
      [INDEX_REGISTER, CBPF.alu(op, "x")],
    ]);
  }
  const condition = CONDITIONS[mnemonic];
  if (condition !== undefined) return draftBranch(statement, condition);
  switch (mnemonic) {
    case "ldi":
      return firstForm(statement, [[IMMEDIATE, CBPF.ldImm]]);
    case "ldx":
    case "ldxi":
    case "ldxb":
      return firstForm(statement, [
        [IMMEDIATE, CBPF.ldxImm],
        [SCRATCH, CBPF.ldxMem],
        [HEADER_LENGTH, CBPF.ldxMsh],
        [LENGTH, CBPF.ldxLen],
      ]);
    case "st":
      return firstForm(statement, [[SCRATCH, CBPF.st]]);
    case "stx":
      return firstForm(statement, [[SCRATCH, CBPF.stx]]);
    case "ja":
    case "jmp":
      if (isListing && !/^\d+$/.test(operand)) break;
      return { line, code: CBPF.ja, k: 0, targets: [operand, ""] };
    case "neg":
      return firstForm(statement, [[NOTHING, CBPF.neg]]);
    case "tax":
      return firstForm(statement, [[NOTHING, CBPF.tax]]);
    case "txa":
      return firstForm(statement, [[NOTHING, CBPF.txa]]);
    case "ret":
      return firstForm(statement, [
        [IMMEDIATE, CBPF.retK],
        [ACCUMULATOR, CBPF.retA],
        [NOTHING, CBPF.retA],
      ]);
    default:
      return textFault("CBPF_MNEMONIC", `${shown(mnemonic)} found, which is no classic instruction`, line);
  }
  return textFault("CBPF_OPERAND", `${mnemonic} with operand ${shown(operand)}`, line);
}

function draftLoad(statement: Statement): Draft {
  const { mnemonic, operand, line } = statement;
  const bytes = LOADS[mnemonic as keyof typeof LOADS];
  const name = FACT.exec(operand)?.[1];
  const fact = name === undefined ? undefined : FACTS.get(name);
  if (fact !== undefined) return { line, code: CBPF.ldAbs(bytes), k: ancillaryK(fact) };
  const packet: Form[] = [
    [ABSOLUTE, CBPF.ldAbs(bytes)],
    [INDIRECT, CBPF.ldInd(bytes)],
  ];
  if (bytes !== 4) return firstForm(statement, packet);
  return firstForm(statement, [
    ...packet,
    [LENGTH, CBPF.ldLen],
    [IMMEDIATE, CBPF.ldImm],
    [SCRATCH, CBPF.ldMem],
  ]);
}

const LISTED_TARGETS = /^(\S+)\s+jt\s+(\d+)\s+jf\s+(\d+)$/;

function draftBranch(
  statement: Statement,
  { is, isOpposite }: { is: CbpfCondition; isOpposite: boolean },
): Draft {
  const { operand, line } = statement;
  const listed = LISTED_TARGETS.exec(operand);
  const [value = "", first = "", second = ""] = listed === null ? operand.split(/\s*,\s*/) : listed.slice(1);
  const drafted = firstForm({ ...statement, operand: value.trim() }, [
    [IMMEDIATE, CBPF.branch(is, "k")],
    [INDEX_REGISTER, CBPF.branch(is, "x")],
  ]);
  if (first === "") textFault("CBPF_OPERAND", `${statement.mnemonic} without a target`, line);
  return { ...drafted, targets: isOpposite ? [second, first] : [first, second] };
}
