export type { Completions } from "./core/complete.ts";
export { highlight, type Paint, type Span } from "./core/highlight.ts";
export type { ReplHost, ReplPlugins } from "./core/host.ts";
export { Repl, type Reply } from "./core/repl.ts";
export { Session, type SessionOptions } from "./core/session.ts";
export type { Verb } from "./core/verb.ts";
export { VERBS } from "./core/verbs/table.ts";
export type { HostParts } from "./terminal/node-host.ts";
export { type ReplOptions, type ReplStreams, runRepl } from "./terminal/run.ts";
