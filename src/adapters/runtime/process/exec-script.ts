import { RESOURCE_LIMITS } from './resource-limits.ts'

/**
 * The POSIX shell script that runs one command beside the process of a container.
 *
 *     exec.sh CGROUPS PID PROCESSES WORKING_DIRECTORY OOM_SCORE COMMAND [ARGUMENT...]
 *
 * It enters the container's cgroups and, when PID is not empty, the mount namespace and root
 * directory of that process; when PROCESSES is `own`, its pid namespace as well. The environment that
 * it is started with is the container's, so its own variables are all named tw_*.
 */
export const EXEC_SCRIPT: string = `#!/bin/sh
tw_cgroups=$1 tw_pid=$2 tw_processes=$3 tw_cwd=$4 tw_oom=$5
shift 5
tw_path=$PATH
PATH=/usr/bin:/bin:/usr/sbin:/sbin
tw_fail() { printf '%s\\n' "$1" >&2; exit 126; }
for tw_file in $tw_cgroups; do
  echo 0 > "$tw_file" || tw_fail "cannot enter cgroup $tw_file"
done
# As the container's own processes have it, where that is allowed.
[ -z "$tw_oom" ] || { echo "$tw_oom" > /proc/self/oom_score_adj; } 2>/dev/null || :
{ ${RESOURCE_LIMITS}
} 2>/dev/null
if [ "$tw_processes" = own ]; then
  # Only what a process starts is in its new pid namespace. So a shell stays in between, which signals
  # for the whole group do not end: it says how the command ended. Caught signals are reset in it.
  exec nsenter --target "$tw_pid" --mount --pid --no-fork --root --wd -- /bin/sh -c \\
    'exec 3>&2 2>/dev/null
     trap : HUP INT QUIT PIPE ALRM TERM USR1 USR2
     (exec 2>&3 3>&-; cd "$1" && unset OLDPWD && PATH=$2 && shift 2 && exec "$@")
     exit $?' sh "$tw_cwd" "$tw_path" "$@"
fi
if [ -n "$tw_pid" ]; then
  # The directory outside has no name inside, which shells complain about. And what is run inside
  # may not be found outside: so the shell of this script goes in and starts it.
  exec nsenter --target "$tw_pid" --mount --root --wd -- /bin/sh -c \\
    'cd "$1" && unset OLDPWD && PATH=$2 && shift 2 && exec "$@"' sh "$tw_cwd" "$tw_path" "$@"
fi
cd "$tw_cwd" || tw_fail "chdir to cwd (\\"$tw_cwd\\") failed: no such directory or no permission"
unset OLDPWD
PATH=$tw_path
exec "$@"
`
