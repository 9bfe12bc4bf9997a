import type { Rule } from '../../tidy/tree.ts'

/** What a rule reports about a tree made of these files. */
export function report(rule: Rule, files: Readonly<Record<string, string>>): readonly string[] {
  return rule.check(new Map(Object.entries(files)))
}

/** A manifest with these subpaths and nothing else. */
export function manifest(
  exports: Readonly<Record<string, unknown>>,
  rest: Readonly<Record<string, unknown>> = {},
): string {
  return JSON.stringify({ exports, ...rest })
}
