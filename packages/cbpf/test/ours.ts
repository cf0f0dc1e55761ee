import { TsbpfError } from "@tsbpf/base";
import { compileFilter, type FilterOptions, linkLayerNamed, printCbpfDecimal } from "../src/index.ts";
import type { TcpdumpAnswer } from "./tcpdump.ts";

/** Compiles a filter as `askTcpdump` does. */
export function askOurs(
  filter: string,
  options: { readonly link?: string; readonly isOptimized?: boolean } & Pick<
    FilterOptions,
    "snaplen" | "names"
  > = {},
): TcpdumpAnswer {
  const { link = "EN10MB", isOptimized = true, snaplen, names } = options;
  try {
    const insns = compileFilter(filter, {
      link: linkLayerNamed(link),
      optimize: isOptimized,
      ...(snaplen === undefined ? {} : { snaplen }),
      ...(names === undefined ? {} : { names }),
    });
    return { isOk: true, text: printCbpfDecimal(insns) };
  } catch (error) {
    if (!(error instanceof TsbpfError) || !/^(FILTER|UNSUPPORTED)_/.test(error.code)) throw error;
    return { isOk: false, text: error.message };
  }
}
