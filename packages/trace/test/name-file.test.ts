import { InputError, UnsupportedError } from "@tsbpf/base";
import { describe, expect, it } from "vitest";
import { mergeTraces, namingFile } from "../src/index.ts";

const failing = (error: Error) => namingFile("a.pcap", () => Promise.reject(error));

describe("the name of a file", () => {
  it("is added to what is wrong with its bytes, once", async () => {
    const error = new InputError("PCAP_TRUNCATED", "file ends", { details: { offset: 7 } });
    const named = { code: "PCAP_TRUNCATED", message: "a.pcap: file ends", details: { offset: 7 } };
    await expect(failing(error)).rejects.toMatchObject(named);
    await expect(namingFile("a.pcap", () => failing(error))).rejects.toMatchObject(named);
  });

  it("keeps what a version does not support apart", async () => {
    await expect(failing(new UnsupportedError("UNSUPPORTED_PCAP_VERSION", "3.0"))).rejects.toBeInstanceOf(
      UnsupportedError,
    );
  });

  it("has nothing to do with other errors", async () => {
    for (const error of [new InputError("MAP_CHOICE", "no map"), new Error("ours")])
      await expect(failing(error)).rejects.toBe(error);
  });

  it("says which of several files cannot be merged", async () => {
    const bytes = (async function* () {
      yield new TextEncoder().encode("neither a capture nor a trace");
    })();
    const merged = mergeTraces([{ name: "b.pcap", bytes }]);
    await expect(merged[Symbol.asyncIterator]().next()).rejects.toThrow(/^b\.pcap: the file starts with/);
  });
});
