import { PROG_TYPES, type ProgTypeName, progTypeName } from "./prog-types.ts";
import { SECTIONS } from "./sections.gen.ts";

/** What a section name says about the program in it. */
export interface SectionRule {
  readonly name: string;
  /** Whether `name/anything` fits as well as `name`. */
  readonly allowsExtra: boolean;
  /** Number of the program type. */
  readonly progTypeNumber: number;
  /** Expected attach type, 0 when none. */
  readonly attachType: number;
  readonly isSleepable: boolean;
  /** Whether the program takes XDP packets in several fragments. */
  readonly hasFrags: boolean;
  /** Whether the part after the slash names a kernel function or type to attach to. */
  readonly isBtfAttached: boolean;
  /** Whether the expected attach type is given to the kernel: `optional` ones are dropped for old kernels. */
  readonly sendsAttachType: "always" | "optional" | "never";
  /** First Linux release that has it; older than 6.18 when omitted. */
  readonly since?: string;
}

/** A section name that fits a rule. */
export interface SectionMatch {
  readonly rule: SectionRule;
  readonly progType: ProgTypeName;
  /** Text after the rule's name and a slash; undefined when there is none. */
  readonly extra: string | undefined;
  /** False when the name starts with `?`: the program is loaded only on demand. */
  readonly autoload: boolean;
}

/**
 * Finds the program type that a section name stands for.
 *
 * @returns undefined when no rule fits; Linux loaders then ask for a type.
 * @source libbpf 1.8 section definitions: the first rule that fits counts
 */
export function sectionRule(sectionName: string): SectionMatch | undefined {
  const autoload = !sectionName.startsWith("?");
  const name = autoload ? sectionName : sectionName.slice(1);
  for (const rule of SECTIONS) {
    const isExact = name === rule.name;
    if (!isExact && !(rule.allowsExtra && name.startsWith(`${rule.name}/`))) continue;
    return {
      rule,
      progType: progTypeName(rule.progTypeNumber) ?? "unspec",
      extra: isExact ? undefined : name.slice(rule.name.length + 1),
      autoload,
    };
  }
  return undefined;
}

/** Returns the section names of a program type, for help texts. */
export const sectionNamesOf = (progType: ProgTypeName): readonly string[] =>
  SECTIONS.filter((rule) => rule.progTypeNumber === PROG_TYPES[progType]).map((rule) => rule.name);
