/**
 * Replaces `$(NAME)` by the value of the variable, as Kubernetes does in commands, arguments and
 * values: a name that is not defined stays as it is, and `$$` stands for `$`.
 */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$(?:\$|\(([^)]*)\))/g, (match, name: string | undefined) => {
    if (name === undefined) return '$'
    return Object.hasOwn(env, name) ? (env[name] ?? match) : match
  })
}

/** The first name in a text that {@link expand} finds no value for; undefined when it finds all. */
export function missingIn(text: string, env: Readonly<Record<string, string>>): string | undefined {
  const names = [...text.matchAll(/\$(?:\$|\(([^)]*)\))/g)].map(([, name]) => name)
  return names.find((name) => name !== undefined && !Object.hasOwn(env, name))
}
