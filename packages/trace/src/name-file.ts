import { InputError, UnsupportedError } from "@tsbpf/base";

/** Codes of what is wrong with the bytes of a capture or trace. */
const OF_BYTES = /^(PCAP|PCAPNG|TRACE|UNSUPPORTED_(PCAP|PCAPNG|TRACE|GZIP|CAPTURE))_/;

/**
 * Adds the name of a file to what is wrong with its bytes: readers of bytes do not know it, and people give several.
 *
 * @throws what `work` throws.
 */
export async function namingFile<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof InputError) || !OF_BYTES.test(error.code) || error.message.startsWith(path))
      throw error;
    const Kind = error instanceof UnsupportedError ? UnsupportedError : InputError;
    const name = path === "-" ? "standard input" : path;
    throw new Kind(error.code, `${name}: ${error.message}`, { cause: error, details: error.details });
  }
}
