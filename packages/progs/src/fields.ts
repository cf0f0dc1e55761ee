import type { CtxLayout } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";

/** Where a named value goes in a context. */
interface Place {
  readonly offset: number;
  readonly sizeBytes: number;
}

/**
 * Finds a field by its C name; elements of arrays are named `cb[2]`.
 *
 * @throws RUN_FIELD (InputError) when the struct has no such field, or the field is a pointer.
 */
function placeOf(layout: CtxLayout, name: string): Place {
  const [, base = name, index = "0"] = /^(.*?)\[(\d+)\]$/.exec(name) ?? [];
  const field = layout.fields.find((one) => one.name === base);
  if (field === undefined || Number(index) >= field.count) {
    const known = layout.fields.filter((one) => one.holds === "scalar").map((one) => one.name);
    throw new InputError("RUN_FIELD", `${layout.struct} has no field ${name}, it has ${known.join(", ")}`, {
      details: { struct: layout.struct, name },
    });
  }
  if (field.holds !== "scalar") {
    throw new InputError(
      "RUN_FIELD",
      `field ${name} of ${layout.struct} is a pointer, only values can be given`,
      {
        details: { struct: layout.struct, name },
      },
    );
  }
  return { offset: field.offset + Number(index) * field.sizeBytes, sizeBytes: field.sizeBytes };
}

const BYTE_BITS = 8;

/**
 * Writes named values into a context; values wrap to their field's width.
 *
 * @throws RUN_FIELD (InputError) when a name or value cannot be used.
 */
export function writeFields(
  view: DataView,
  address: number,
  layout: CtxLayout,
  fields: Readonly<Record<string, number | bigint>>,
): void {
  for (const [name, value] of Object.entries(fields)) {
    const { offset, sizeBytes } = placeOf(layout, name);
    if (typeof value === "number" && !Number.isSafeInteger(value)) {
      throw new InputError("RUN_FIELD", `field ${name} is ${value}, a whole number is needed`, {
        details: { struct: layout.struct, name, value },
      });
    }
    const bits = BigInt.asUintN(sizeBytes * BYTE_BITS, BigInt(value));
    for (let i = 0; i < sizeBytes; i++) {
      view.setUint8(address + offset + i, Number((bits >> BigInt(i * BYTE_BITS)) & 0xffn));
    }
  }
}
