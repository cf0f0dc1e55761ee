import { type Btf, findDatasec, parseBtf, resolveType, sectionVariables } from "@tsbpf/btf";
import type { BpfMap } from "@tsbpf/plugin";
import type { LiveObject } from "@tsbpf/vm";
import type { Place } from "./expr.ts";
import type { Session } from "./session.ts";

/** Where a variable lies and what it holds, as far as expressions need it. */
interface Shape {
  readonly sizeBytes: number;
  readonly isSigned: boolean;
  /** Of an array of numbers: one element. */
  readonly element?: { readonly sizeBytes: number; readonly isSigned: boolean };
}

const WORD_BYTES = 8;
const known = new WeakMap<LiveObject, ReadonlyMap<string, Place>>();

function shapeOf(btf: Btf, typeId: number, sizeBytes: number): Shape {
  const type = resolveType(btf, typeId);
  if (type.kind === "array") {
    const element = shapeOf(btf, type.elem, type.count === 0 ? 0 : sizeBytes / type.count);
    return { sizeBytes, isSigned: false, ...(element.sizeBytes > WORD_BYTES ? {} : { element }) };
  }
  const isSigned = type.kind === "int" ? type.encoding === "signed" : "isSigned" in type && type.isSigned;
  return { sizeBytes, isSigned };
}

function variablesOf(object: LiveObject, maps: ReadonlyMap<string, BpfMap>): ReadonlyMap<string, Place> {
  const found = new Map<string, Place>();
  const { btf: bytes, maps: specs } = object.spec;
  if (bytes === undefined) return found;
  const btf = parseBtf(bytes);
  for (const { name, dataSection } of specs) {
    const section = dataSection === undefined ? undefined : findDatasec(btf, dataSection);
    const start = addressIn(maps.get(name), 0n);
    if (section === undefined || start === undefined) continue;
    for (const { variable, offset, sizeBytes } of sectionVariables(btf, section)) {
      const address = start + BigInt(offset);
      found.set(variable.name, { address, ...shapeOf(btf, variable.type, sizeBytes) });
    }
  }
  return found;
}

/** The variables of the loaded object, by name. */
export function variables({ object, vm }: Session): ReadonlyMap<string, Place> {
  if (object === undefined) return new Map();
  const already = known.get(object);
  if (already !== undefined) return already;
  const found = variablesOf(object, vm.maps);
  known.set(object, found);
  return found;
}

/** Finds a variable of the loaded object, or a field of the context (`ctx->FIELD`). */
export function placeOf(session: Session, name: string, field: string | undefined): Place | undefined {
  if (field === undefined) return variables(session).get(name);
  if (name !== "ctx") return undefined;
  const found = session.prog.linked.progType.ctx.fields.find((one) => one.name === field);
  if (found === undefined) return undefined;
  const { offset, sizeBytes, count } = found;
  const address = BigInt(session.context.address + offset);
  const each = { sizeBytes, isSigned: false };
  return { address, ...each, ...(count > 1 ? { sizeBytes: sizeBytes * count, element: each } : {}) };
}

const KEY_BYTES_MAX = 8;

/** Address of the value that a map holds under a key, a number; undefined when it holds none. */
export const valueAddress = ({ vm }: Session, name: string, key: bigint): bigint | undefined =>
  addressIn(vm.maps.get(name), key, vm.memory.u8);

function addressIn(map: BpfMap | undefined, key: bigint, u8?: Uint8Array): bigint | undefined {
  if (map?.forEach === undefined || map.spec.keyBytes > KEY_BYTES_MAX) return undefined;
  const { keyBytes } = map.spec;
  let found: bigint | undefined;
  const visit = (keyAddress: number, address: number): boolean => {
    let value = 0n;
    for (let i = keyBytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(u8?.[keyAddress + i] ?? 0);
    if (value === key) found = BigInt(address);
    return found === undefined;
  };
  map.forEach(visit, 0);
  return found;
}
