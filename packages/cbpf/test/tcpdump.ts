import { spawnSync } from "node:child_process";

export interface TcpdumpOptions {
  readonly link?: string;
  readonly isOptimized?: boolean;
  readonly flag?: "-d" | "-dd" | "-ddd";
  readonly snaplen?: number;
}

export interface TcpdumpAnswer {
  readonly isOk: boolean;
  /** The listing, or the error without the tool's name. */
  readonly text: string;
}

/** Compiles a filter with the installed tcpdump. */
export function askTcpdump(filter: string, options: TcpdumpOptions = {}): TcpdumpAnswer {
  const { link = "EN10MB", isOptimized = true, flag = "-ddd", snaplen } = options;
  const words = [
    ...["-y", link, flag],
    ...(isOptimized ? [] : ["-O"]),
    ...(snaplen === undefined ? [] : ["-s", String(snaplen)]),
  ];
  const { status, stdout, stderr } = spawnSync("tcpdump", [...words, "--", filter], { encoding: "utf8" });
  if (status === 0) return { isOk: true, text: stdout };
  return { isOk: false, text: (stderr.split("\n")[0] ?? "").replace(/^tcpdump: /, "") };
}

/** Whether the tool is there, in the version whose code is expected. */
export function hasTcpdump(): boolean {
  const { stdout, stderr } = spawnSync("tcpdump", ["--version"], { encoding: "utf8" });
  return /libpcap version 1\.10\./.test(`${stdout}${stderr}`);
}
