import type { BtfType } from "../types.ts";

/** Names of types in C text; what C would take for a redefinition gets a suffix: `list___2`. */
export interface CNames {
  /** Name of a struct, union, enumeration or forward declaration. */
  typeName(type: BtfType): string;
  /** Name of a typedef. */
  typedefName(type: BtfType): string;
  /** Name of an enumerator, which shares its name space with typedefs. */
  enumeratorName(name: string): string;
}

function createCounter(): (name: string) => string {
  const counts = new Map<string, number>();
  return (name) => {
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return count === 1 ? name : `${name}___${count}`;
  };
}

/** Creates the names of one text. */
export function createCNames(): CNames {
  const resolved = new Map<number, string>();
  const countTag = createCounter();
  const countIdentifier = createCounter();
  const resolve = (type: BtfType, count: (name: string) => string): string => {
    if (type.name === "") return "";
    const known = resolved.get(type.id);
    if (known !== undefined) return known;
    // Declarations may be repeated, so they keep their name.
    const isDeclaration = type.kind === "fwd" || (type.kind === "enum" && type.values.length === 0);
    const name = isDeclaration ? type.name : count(type.name);
    resolved.set(type.id, name);
    return name;
  };
  return {
    typeName: (type) => resolve(type, countTag),
    typedefName: (type) => resolve(type, countIdentifier),
    enumeratorName: countIdentifier,
  };
}
