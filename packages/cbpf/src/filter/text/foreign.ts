import { acceptRelation } from "./arithmetic.ts";
import type { TokenReader } from "./reader.ts";
import type { Expression } from "./tree.ts";

const ATM = (word: string): string => `'${word}' supported only on raw ATM`;
const SS7 = (word: string): string => `'${word.replace(/^h/, "")}' supported only on SS7`;
const MTP2 = (word: string): string =>
  `'${word}' supported only on MTP2${word.startsWith("h") ? "_HSL" : ""}`;
const PF = (word: string): string => `${word} supported only on PF linktype`;
const FRAME_TYPE = (): string => "802.11 link-layer types supported only on 802.11";
const FRAME_DIRECTION = (): string => "frame direction supported only with 802.11 headers";

/** What follows a word: nothing, a number or comparison, a name, a number or a name. */
type Operand = "none" | "field" | "name" | "number" | "either" | "frame-type";

const FORMS: ReadonlyMap<string, { readonly operand: Operand; readonly message: (word: string) => string }> =
  new Map([
    ...[
      "lane",
      "metac",
      "bcc",
      "oamf4ec",
      "oamf4sc",
      "sc",
      "ilmic",
      "oam",
      "oamf4",
      "connectmsg",
      "metaconnect",
    ].map((word) => [word, { operand: "none" as Operand, message: ATM }] as const),
    ...["vpi", "vci"].map((word) => [word, { operand: "field" as Operand, message: ATM }] as const),
    ...["fisu", "lssu", "msu", "hfisu", "hlssu", "hmsu"].map(
      (word) => [word, { operand: "none" as Operand, message: MTP2 }] as const,
    ),
    ...["sio", "opc", "dpc", "sls", "hsio", "hopc", "hdpc", "hsls"].map(
      (word) => [word, { operand: "field" as Operand, message: SS7 }] as const,
    ),
    ...["ifname", "ruleset", "action"].map(
      (word) => [word, { operand: "name" as Operand, message: PF }] as const,
    ),
    ...["rnr", "srnr"].map((word) => [word, { operand: "number" as Operand, message: PF }] as const),
    ["reason", { operand: "either", message: PF }],
    ["type", { operand: "frame-type", message: FRAME_TYPE }],
    ["subtype", { operand: "name", message: FRAME_TYPE }],
    ["dir", { operand: "either", message: FRAME_DIRECTION }],
  ]);

/** Reads a question that only link layers of other kinds can answer: ATM, SS7, PF logs, wireless. */
export function parseForeign(reader: TokenReader): Expression {
  const { text, start } = reader.peek();
  const form = FORMS.get(text);
  if (form === undefined) return reader.fail();
  reader.next();
  OPERANDS[form.operand](reader);
  return { kind: "foreign", message: form.message(text), ...reader.since(start) };
}

const either = (reader: TokenReader): void => {
  if (reader.peek().kind !== "number" && reader.peek().kind !== "name") reader.fail();
  reader.next();
};

const OPERANDS: Readonly<Record<Operand, (reader: TokenReader) => void>> = {
  none: () => undefined,
  name: (reader) => void reader.expectKind("name"),
  number: (reader) => void reader.expectKind("number"),
  either,
  field(reader) {
    if (acceptRelation(reader) !== undefined || !reader.accept("(")) return void reader.expectKind("number");
    do reader.expectKind("number");
    while (reader.accept("or"));
    reader.expect(")");
  },
  "frame-type"(reader) {
    either(reader);
    if (reader.accept("subtype")) either(reader);
  },
};
