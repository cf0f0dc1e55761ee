import { InputError, parseHexBytes } from "@tsbpf/base";

/** The fields of a JSON object, read with types; errors name the field. */
export class Fields {
  private readonly members: Readonly<Record<string, unknown>>;
  private readonly what: string;

  constructor(value: unknown, what: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new InputError("CASE_FIELD", `${what}: an object needed`);
    }
    this.members = value as Readonly<Record<string, unknown>>;
    this.what = what;
  }

  raw(key: string): unknown {
    return this.members[key];
  }

  has(key: string): boolean {
    return this.members[key] !== undefined && this.members[key] !== null;
  }

  /** Reads a whole number; `fallback` stands in for a missing field. */
  integer(key: string, fallback?: number): number {
    const value = this.members[key] ?? fallback;
    if (typeof value === "number" && Number.isInteger(value)) return value;
    throw this.wrong(key, value, "a whole number");
  }

  string(key: string): string | undefined {
    const value = this.members[key] ?? undefined;
    if (value === undefined || typeof value === "string") return value;
    throw this.wrong(key, value, "a string");
  }

  boolean(key: string): boolean {
    const value = this.members[key] ?? false;
    if (typeof value === "boolean") return value;
    if (value === 0 || value === 1) return value === 1;
    throw this.wrong(key, value, "true or false");
  }

  hex(key: string): Uint8Array | undefined {
    const text = this.string(key);
    return text === undefined ? undefined : parseHexBytes(text);
  }

  list(key: string): readonly unknown[] {
    const value = this.members[key] ?? [];
    if (Array.isArray(value)) return value;
    throw this.wrong(key, value, "a list");
  }

  object(key: string): Fields | undefined {
    return this.has(key) ? new Fields(this.members[key], `${this.what}.${key}`) : undefined;
  }

  private wrong(key: string, value: unknown, needed: string): InputError {
    return new InputError("CASE_FIELD", `${this.what}: ${key} is ${JSON.stringify(value)}, ${needed} needed`);
  }
}
