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
