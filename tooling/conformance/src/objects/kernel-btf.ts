const MAGIC = 0xeb9f;
const HEADER_BYTES = 24;
const KIND = { int: 1, union: 5, func: 12, funcProto: 13, variable: 14, datasec: 15 } as const;
const EXTERN = 2;
const GLOBAL = 1;
const KIND_SHIFT = 24;
const LINKAGE_MASK = 0xffff;
/** Bytes behind the common twelve: fixed, or for each of vlen entries. */
const FIXED: Readonly<Record<number, number>> = { 1: 4, 3: 12, 14: 4, 17: 4 };
const EACH: Readonly<Record<number, number>> = { 4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12 };

interface TypeAt {
  readonly at: number;
  readonly kind: number;
  readonly vlen: number;
}

function typesOf(view: DataView): readonly TypeAt[] {
  const start = view.getUint32(4, true) + view.getUint32(8, true);
  const end = start + view.getUint32(12, true);
  // Ids start at 1: void has no record.
  const types: TypeAt[] = [{ at: 0, kind: 0, vlen: 0 }];
  for (let at = start; at + 12 <= end; ) {
    const info = view.getUint32(at + 4, true);
    const kind = (info >>> KIND_SHIFT) & 31;
    const vlen = info & LINKAGE_MASK;
    types.push({ at, kind, vlen });
    at += 12 + (FIXED[kind] ?? 0) + (EACH[kind] ?? 0) * vlen;
  }
  return types;
}

/** Makes a function one that the kernel takes: none that is only declared, all parameters named. */
function defineFunc(view: DataView, types: readonly TypeAt[], func: TypeAt): void {
  const name = view.getUint32(func.at, true);
  if (func.vlen === EXTERN)
    view.setUint32(func.at + 4, (view.getUint32(func.at + 4, true) & ~LINKAGE_MASK) | GLOBAL, true);
  const proto = types[view.getUint32(func.at + 8, true)];
  if (proto === undefined || proto.kind !== KIND.funcProto) return;
  for (let i = 0; i < proto.vlen; i++) {
    const param = proto.at + 12 + i * 8;
    if (view.getUint32(param, true) === 0 && view.getUint32(param + 4, true) !== 0)
      view.setUint32(param, name, true);
  }
}

/** Linkage of a variable stands behind its type. */
const isExternVar = (view: DataView, type: TypeAt): boolean =>
  type.kind === KIND.variable && view.getUint32(type.at + 12, true) === EXTERN;

/** Makes a variable of the kernel one that the kernel takes: a number of the program's own. */
function defineVar(view: DataView, variable: TypeAt, intId: number): void {
  view.setUint32(variable.at + 8, intId, true);
  view.setUint32(variable.at + 12, GLOBAL, true);
}

/** Turns a section of declared functions and variables into a union that nobody uses: the kernel knows sections of variables only. */
function disarmSection(view: DataView, section: TypeAt, intId: number): void {
  view.setUint32(section.at, 0, true);
  view.setUint32(section.at + 4, ((KIND.union << KIND_SHIFT) | section.vlen) >>> 0, true);
  view.setUint32(section.at + 8, 4, true);
  for (let i = 0; i < section.vlen; i++) {
    const member = section.at + 12 + i * 12;
    view.setUint32(member, 0, true);
    view.setUint32(member + 4, intId, true);
    view.setUint32(member + 8, 0, true);
  }
}

/**
 * Rewrites a program's BTF so that the kernel loads it: kernel functions and variables it declares become its own.
 *
 * @source linux tools/lib/bpf/libbpf.c bpf_object__collect_externs
 */
export function loadableBtf(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  // The kernel refuses tables of the other byte order as they are.
  if (copy.length < HEADER_BYTES || view.getUint16(0, true) !== MAGIC) return copy;
  const types = typesOf(view);
  const intId = types.findIndex((type) => type.kind === KIND.int && view.getUint32(type.at + 8, true) === 4);
  const isForeign = (id: number): boolean => {
    const member = types[id];
    return member !== undefined && (member.kind === KIND.func || isExternVar(view, member));
  };
  for (const type of types) {
    if (type.kind === KIND.func) defineFunc(view, types, type);
    if (type.kind !== KIND.datasec || intId < 1) continue;
    const members = Array.from({ length: type.vlen }, (_, i) => view.getUint32(type.at + 12 + i * 12, true));
    if (members.some(isForeign)) disarmSection(view, type, intId);
  }
  if (intId > 0) for (const type of types) if (isExternVar(view, type)) defineVar(view, type, intId);
  return copy;
}
