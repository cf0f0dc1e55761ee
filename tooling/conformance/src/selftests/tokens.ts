import { InputError } from "@tsbpf/base";

/** A piece of C: a name, a number, a string (text holds its characters) or punctuation. */
export interface Token {
  readonly kind: "name" | "number" | "string" | "punct";
  readonly text: string;
}

const BLANK = /[ \t\r\n\f\v]+/y;
const NAME = /[A-Za-z_][A-Za-z_0-9]*/y;
const NUMBER = /0[xX][0-9a-fA-F]+[uUlL]*|[0-9]+[uUlL]*/y;
const PUNCT = /\.\.\.|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||##|->|[-+*/%&|^~!<>=?:;,.(){}[\]#]/y;
const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  "\\": "\\",
  '"': '"',
  "'": "'",
};

const at = (pattern: RegExp, text: string, from: number): string | undefined => {
  pattern.lastIndex = from;
  return pattern.exec(text)?.[0];
};

/** Reads the characters of a literal whose opening quote stands at `from`. */
function readQuoted(text: string, from: number): { readonly value: string; readonly end: number } {
  const quote = text[from];
  let value = "";
  let i = from + 1;
  while (i < text.length && text[i] !== quote) {
    if (text[i] !== "\\") {
      value += text[i];
      i += 1;
      continue;
    }
    const octal = at(/[0-7]{1,3}/y, text, i + 1);
    if (octal !== undefined) {
      value += String.fromCharCode(Number.parseInt(octal, 8));
      i += 1 + octal.length;
    } else {
      const letter = text[i + 1] ?? "";
      value += ESCAPES[letter] ?? letter;
      i += 2;
    }
  }
  return { value, end: i + 1 };
}

/** Cuts C text without comments into tokens. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let i = 0;
  while (i < text.length) {
    const blank = at(BLANK, text, i);
    if (blank !== undefined) {
      i += blank.length;
      continue;
    }
    const first = text[i];
    if (first === '"' || first === "'") {
      const { value, end } = readQuoted(text, i);
      if (first === '"') tokens.push({ kind: "string", text: value });
      else tokens.push({ kind: "number", text: String(value.charCodeAt(0)) });
      i = end;
      continue;
    }
    const name = at(NAME, text, i);
    const number = at(NUMBER, text, i);
    const punct = at(PUNCT, text, i);
    const found = name ?? number ?? punct;
    if (found === undefined) {
      throw new InputError("CONFORMANCE_C_SYNTAX", `character ${JSON.stringify(first)} is no C`);
    }
    tokens.push({
      kind: name !== undefined ? "name" : number !== undefined ? "number" : "punct",
      text: found,
    });
    i += found.length;
  }
  return tokens;
}

/** Takes comments out of C text, keeping line breaks and strings. */
export function stripComments(text: string): string {
  return text.replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (found) =>
    found.startsWith("/*") ? ` ${found.replace(/[^\n]/g, "")}` : found.startsWith("//") ? "" : found,
  );
}
