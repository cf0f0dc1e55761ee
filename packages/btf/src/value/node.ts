/** A value that JSON can carry. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** A decoded value, before it is turned into text or JSON. */
export type ValueNode =
  /** `text` is how plain output spells it, quotes included. */
  | { readonly kind: "scalar"; readonly text: string; readonly json: null | boolean | number | string }
  | { readonly kind: "array"; readonly items: readonly ValueNode[] }
  /** Anonymous members have the empty name. */
  | { readonly kind: "object"; readonly fields: readonly (readonly [name: string, node: ValueNode])[] };

/** Spells a string as JSON does. */
export const quote = (text: string): string => JSON.stringify(text);

/** Turns a value into plain data; of fields with the same name the later ones get a suffix: `#2`. */
export function toJson(node: ValueNode): JsonValue {
  switch (node.kind) {
    case "scalar":
      return node.json;
    case "array":
      return node.items.map(toJson);
    case "object": {
      const entries = new Map<string, JsonValue>();
      for (const [name, field] of node.fields) {
        let key = name;
        for (let copy = 2; entries.has(key); copy++) key = `${name}#${copy}`;
        entries.set(key, toJson(field));
      }
      // Entries, not assignments, so that a member named __proto__ is a member.
      return Object.fromEntries(entries);
    }
  }
}

const INDENT = "    ";

/** Writes text in the layout of bpftool: a line for each field, items of arrays one after the other. */
class TextWriter {
  text = "";
  private level: number;
  private separator = "";

  constructor(level: number) {
    this.level = level;
  }

  private newLine(): void {
    this.text += `\n${INDENT.repeat(this.level)}`;
  }

  private begin(bracket: string): void {
    this.text += this.separator + bracket;
    this.level++;
    this.separator = "";
  }

  private end(bracket: string): void {
    this.level--;
    if (this.separator !== "") this.newLine();
    this.text += bracket;
    this.separator = ",";
  }

  put(node: ValueNode): void {
    switch (node.kind) {
      case "scalar":
        this.text += this.separator + node.text;
        this.separator = ",";
        return;
      case "array":
        this.begin("[");
        for (const item of node.items) this.put(item);
        this.end("]");
        return;
      case "object":
        this.begin("{");
        for (const [name, field] of node.fields) {
          this.text += this.separator;
          this.separator = "";
          this.newLine();
          this.text += `${quote(name)}: `;
          this.put(field);
        }
        this.end("}");
    }
  }
}

/**
 * Prints a value as `bpftool map dump` does.
 *
 * @param level - how deep the value is nested in what surrounds it; lines are indented by that much more.
 */
export function printValue(node: ValueNode, level = 0): string {
  const writer = new TextWriter(level);
  writer.put(node);
  return writer.text;
}
