import { CUSTOM_HELPER_ID_FIRST, type HelperProto, type ProgTypeName, type RetSpec } from "@tsbpf/abi";
import { InputError, LIMITS } from "@tsbpf/base";
import type { TypedArg } from "./arg.ts";
import type { HelperEnv } from "./env.ts";
import type { BpfMap } from "./map.ts";

/** What an implementation gets for a map key or value. */
export interface MapMemory {
  /** Valid until the helper returns. */
  readonly bytes: Uint8Array;
  readonly address: number;
}

/** A map as a typed helper sees it. */
export interface MapArg {
  readonly map: BpfMap;
  /** Returns the value in place, or null. */
  lookup(key: MapMemory): MapMemory | null;
}

/** A function of the program that a typed helper may call. */
export type CallbackArg = (...args: readonly (number | bigint)[]) => number;

type ArgValue<A extends TypedArg> = A["kind"] extends "scalar"
  ? A extends { readonly type: "u32" | "s32" }
    ? number
    : bigint
  : A["kind"] extends "map"
    ? MapArg
    : A["kind"] extends "map_key" | "map_value"
      ? MapMemory
      : A["kind"] extends "mem"
        ? A extends { readonly nullable: true }
          ? Uint8Array | null
          : Uint8Array
        : A["kind"] extends "func"
          ? CallbackArg
          : A["kind"] extends "size"
            ? number
            : bigint;

/** The named arguments that an implementation gets. */
export type ArgValues<A extends readonly TypedArg[]> = {
  readonly [E in A[number] as E["name"]]: ArgValue<E>;
};

// biome-ignore lint/suspicious/noConfusingVoidType: bodies without a result may end without a return.
type RetValue<R extends RetSpec> = R["kind"] extends "void" ? void : number | bigint;

/**
 * A raw implementation: `regs[2*n]`, `regs[2*n+1]` are the low and high 32 bits of rn. It reads r1..r5 and writes r0.
 * Nothing is converted or allocated for it; hot helpers use this form.
 */
export type RawHelper = (regs: Int32Array, env: HelperEnv) => void;

/** Helpers whose work generated code knows how to do by itself, on the map types whose layout it knows. */
export type WasmIntrinsic =
  | "map_lookup_elem"
  | "map_update_elem"
  | "map_delete_elem"
  | "smp_processor_id"
  | "bpf_loop";

/**
 * How generated code does what a helper does, instead of going through its implementation. Differential tests hold it
 * to `raw` or `call`.
 */
export type WasmLowering =
  | { readonly kind: "intrinsic"; readonly name: WasmIntrinsic }
  | {
      /** A function of numbers: it gets the low 32 bits, signed, of as many registers as the prototype has arguments. */
      readonly kind: "words";
      /** How r0 is made of the result: zero-extended, sign-extended, or 0. */
      readonly result: "u32" | "s32" | "void";
      /** Makes the function for one machine. */
      bind(env: HelperEnv): (...words: number[]) => number;
    };

interface HelperCommon {
  /** How the jit may do it; through the implementation when omitted. */
  readonly wasm?: WasmLowering;
  readonly summary: string;
  /** Section of a kernel document or header; a plugin names its own page. */
  readonly source?: string;
}

/** A helper with a prototype of its own. */
export interface HelperDefinition<A extends readonly TypedArg[], R extends RetSpec> extends HelperCommon {
  /** {@link CUSTOM_HELPER_ID_FIRST} or more. */
  readonly id: number;
  readonly name: string;
  readonly args: A & LinksAreDeclared<A>;
  readonly returns: R;
  readonly progTypes?: readonly ProgTypeName[];
  readonly isGplOnly?: boolean;
  readonly invalidatesPacket?: boolean;
  readonly maySleep?: boolean;
  readonly callsBack?: boolean;
  readonly call?: (args: ArgValues<A>, env: HelperEnv) => RetValue<R>;
  readonly raw?: RawHelper;
}

/** Fails to compile when a key, value or memory names an argument that does not exist, or a sixth argument is given. */
type LinksAreDeclared<A extends readonly TypedArg[]> = A["length"] extends 0 | 1 | 2 | 3 | 4 | 5
  ? {
      readonly [I in keyof A]: A[I] extends { readonly of: infer M }
        ? M extends A[number]["name"]
          ? unknown
          : never
        : A[I] extends { readonly size: infer S }
          ? S extends A[number]["name"]
            ? unknown
            : never
          : unknown;
    }
  : never;

/** An implementation of a prototype that exists: a kernel helper, or a replacement of one. */
export interface HelperImplementation extends HelperCommon {
  readonly proto: HelperProto;
  readonly raw: RawHelper;
}

/** A helper as the VM takes it. */
export interface HelperPlugin {
  readonly proto: HelperProto;
  readonly args: readonly TypedArg[];
  readonly summary: string;
  readonly source: string;
  readonly wasm?: WasmLowering;
  /** Exactly one of these is present. */
  readonly call?: (args: never, env: HelperEnv) => number | bigint | undefined;
  readonly raw?: RawHelper;
}

/**
 * Defines a helper for everybody: the verifier's checks, both engines, the manual.
 *
 * @throws PLUGIN_HELPER (InputError) when id, arguments or implementation are not usable.
 */
export function defineHelper<const A extends readonly TypedArg[], const R extends RetSpec>(
  definition: HelperDefinition<A, R>,
): HelperPlugin;
export function defineHelper(implementation: HelperImplementation): HelperPlugin;
export function defineHelper(
  given: HelperDefinition<readonly TypedArg[], RetSpec> | HelperImplementation,
): HelperPlugin {
  if ("proto" in given) {
    return {
      proto: given.proto,
      args: given.proto.args,
      summary: given.summary,
      source: given.source ?? "",
      raw: given.raw,
      ...(given.wasm === undefined ? {} : { wasm: given.wasm }),
    };
  }
  return fromDefinition(given);
}

/** A kernel function with a prototype of its own; programs call it by name. */
export type KfuncDefinition<A extends readonly TypedArg[], R extends RetSpec> = Omit<
  HelperDefinition<A, R>,
  "id" | "wasm"
> & {
  /** C prototype for people; made of the arguments' names when omitted. */
  readonly signature?: string;
};

/** Kernel functions have no ids; their prototypes hold this one. */
const KFUNC_ID = 0;

/**
 * Defines a kernel function: what {@link defineHelper} makes of a helper, for calls by name. The verifier reads the
 * prototypes of Linux's own functions from its tables and the program's BTF.
 *
 * @throws PLUGIN_HELPER (InputError) when arguments or implementation are not usable.
 */
export function defineKfunc<const A extends readonly TypedArg[], const R extends RetSpec>(
  definition: KfuncDefinition<A, R>,
): HelperPlugin {
  const { signature, ...rest } = definition as unknown as KfuncDefinition<readonly TypedArg[], RetSpec>;
  const plugin = fromDefinition({ ...rest, id: CUSTOM_HELPER_ID_FIRST });
  return {
    ...plugin,
    proto: { ...plugin.proto, id: KFUNC_ID, signature: signature ?? plugin.proto.signature },
  };
}

function fromDefinition(given: HelperDefinition<readonly TypedArg[], RetSpec>): HelperPlugin {
  const args: readonly TypedArg[] = given.args;
  checkDefinition(given.id, given.name, args, (given.call === undefined) !== (given.raw === undefined));
  return {
    proto: {
      id: given.id,
      name: given.name,
      args,
      ret: given.returns,
      isGplOnly: given.isGplOnly ?? false,
      invalidatesPacket: given.invalidatesPacket ?? false,
      maySleep: given.maySleep ?? false,
      isFastcall: false,
      allowsPacketMem: true,
      callsBack: given.callsBack ?? args.some((one) => one.kind === "func"),
      signature: printSignature(given.name, args),
      since: "custom",
      ...(given.progTypes === undefined ? {} : { progTypes: given.progTypes }),
    },
    args,
    summary: given.summary,
    source: given.source ?? "",
    ...(given.wasm === undefined ? {} : { wasm: given.wasm }),
    ...(given.call === undefined ? {} : { call: given.call as unknown as NonNullable<HelperPlugin["call"]> }),
    ...(given.raw === undefined ? {} : { raw: given.raw }),
  };
}

const printSignature = (name: string, args: readonly TypedArg[]): string =>
  `${name}(${args.map((one) => one.name).join(", ")})`;

function checkDefinition(id: number, name: string, args: readonly TypedArg[], hasOneBody: boolean): void {
  const refuse = (text: string): never => {
    throw new InputError("PLUGIN_HELPER", `helper ${name}: ${text}`, { details: { id, name } });
  };
  if (!Number.isInteger(id) || id < CUSTOM_HELPER_ID_FIRST || id > 0x7fff_ffff) {
    refuse(`id ${id} found, ${CUSTOM_HELPER_ID_FIRST}..${0x7fff_ffff} allowed`);
  }
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) refuse("a C identifier is needed as name");
  if (args.length > LIMITS.helperArgs) refuse(`${args.length} arguments found, ${LIMITS.helperArgs} allowed`);
  if (!hasOneBody) refuse("exactly one of call and raw is needed");
  const names = new Set(args.map((one) => one.name));
  if (names.size !== args.length) refuse("two arguments have the same name");
  for (const one of args) {
    for (const link of [one.of, one.size]) {
      if (link !== undefined && !names.has(link))
        refuse(`argument ${one.name} names ${link}, which is no argument`);
    }
    if (one.kind === "mem" && one.size === undefined && one.sizeBytes === undefined) {
      refuse(`argument ${one.name} needs sizeBytes or size`);
    }
  }
}
