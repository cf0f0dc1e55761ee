/** Replaced by the build with the version of the package and the commit. */
declare const TSBPF_VERSION: string | undefined;
declare const TSBPF_COMMIT: string | undefined;

const version = typeof TSBPF_VERSION === "string" ? TSBPF_VERSION : "0.0.0-source";
const commit = typeof TSBPF_COMMIT === "string" ? TSBPF_COMMIT : "unbuilt";

/** Prints package version, commit, Node and V8. */
export const printVersion = (): string =>
  `tsbpf ${version} (${commit}), node ${process.versions.node}, v8 ${process.versions.v8}`;
