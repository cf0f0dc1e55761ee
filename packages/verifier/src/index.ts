export type { Privilege, VerifyOptions } from "./options.ts";
export type { HistoryStep, RejectCategory, Verdict, VerifyStats } from "./verdict.ts";
export { verifyProg } from "./verify.ts";
