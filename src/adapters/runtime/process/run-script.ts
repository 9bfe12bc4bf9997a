import { RESOURCE_LIMITS } from './resource-limits.ts'

/**
 * The POSIX shell script that runs one container. It outlives the driver, and is the only witness of
 * the exit code when the driver is away.
 *
 *     run.sh DIRECTORY WORKING_DIRECTORY MARK STDIN CGROUPS OOM_SCORE COMMAND [ARGUMENT...]
 *
 * Files that it writes in DIRECTORY: `claim` (pid and start time; made by link(2), so that of two
 * scripts for one container only one goes on), `running` (only if MARK is `mark`; otherwise the
 * command itself writes it, with the pid of what is inside its namespace), `exit` (the exit code), `failure` (why the command was not reached).
 *
 * With STDIN `once`, the command reads what the first writer of the pipe `stdin` in DIRECTORY writes,
 * and then its end; with `open`, what all writers write one after the other, and never an end. The
 * pipe `input` beside it lets the command start before there is a writer.
 *
 * The environment that it is started with is the container's. So its own variables are all named
 * tw_*, and PATH is put back before the command runs.
 */
export const RUN_SCRIPT: string = `#!/bin/sh
tw_dir=$1 tw_cwd=$2 tw_mark=$3 tw_stdin=$4 tw_cgroups=$5 tw_oom=$6
shift 6
tw_path=$PATH
PATH=/usr/bin:/bin:/usr/sbin:/sbin
umask 077

# The shell reports children that died by a signal on its stderr: that is not for the log.
exec 3>&2 2>/dev/null

# Signals go to the whole process group. The shell must live on to see the exit code, but may not
# ignore them: ignored signals would stay ignored in the command, caught ones are reset.
trap : HUP INT QUIT PIPE ALRM TERM USR1 USR2

# The start time beside the pid tells this process from a later one with the same pid.
tw_start=
if [ -r "/proc/$$/stat" ]; then
  IFS= read -r tw_stat < "/proc/$$/stat"
  tw_field_20() { shift 19; tw_start=$1; }
  # The second field is the name in parentheses and may hold anything: count from behind it.
  tw_field_20 \${tw_stat##*) }
else
  tw_start=$(LC_ALL=C ps -o lstart= -p $$)
fi
printf '%s %s\\n' "$$" "$tw_start" > "$tw_dir/claim.$$"
# On a full disk it is empty, and whoever cannot be found again must not begin.
[ -s "$tw_dir/claim.$$" ] && ln "$tw_dir/claim.$$" "$tw_dir/claim"
tw_claimed=$?
rm -f "$tw_dir/claim.$$"
[ "$tw_claimed" -eq 0 ] || exit 75

(
  tw_fail() { printf '%s\\n' "$1" > "$tw_dir/failure.tmp"; mv -f "$tw_dir/failure.tmp" "$tw_dir/failure"; exit 128; }
  # 0 is the writer itself: this subshell and so the command, while the outer shell stays out and
  # survives what kills the cgroup.
  for tw_file in $tw_cgroups; do
    echo 0 > "$tw_file" || tw_fail "cannot enter cgroup $tw_file"
  done
  # A lower score than the driver's takes a capability; without it the container has the driver's.
  [ -z "$tw_oom" ] || echo "$tw_oom" > /proc/self/oom_score_adj || :
${RESOURCE_LIMITS}
  umask 022
  if [ -n "$tw_cwd" ]; then
    cd "$tw_cwd" || tw_fail "chdir to cwd (\\"$tw_cwd\\") failed: no such directory or no permission"
  fi
  # cd has set it, and nobody has asked for it.
  unset OLDPWD
  [ "$tw_mark" != mark ] || : > "$tw_dir/running"
  # A child of a child that has gone: the command must not find one of ours among its own.
  case $tw_stdin in
    once) (exec 3>&-; (exec cat "$tw_dir/stdin" > "$tw_dir/input") &) ;;
    open) (exec 3>&-; (while :; do cat "$tw_dir/stdin"; done > "$tw_dir/input") &) ;;
  esac
  [ "$tw_stdin" = none ] || exec < "$tw_dir/input"
  PATH=$tw_path
  exec "$@" 2>&3 3>&-
)
tw_code=$?

# What the command leaves behind ends with it, as it would with the first process of a container.
tw_rounds=0
for tw_file in $tw_cgroups; do
  while [ "$tw_rounds" -lt 100 ] && IFS= read -r tw_pid < "$tw_file"; do
    while IFS= read -r tw_pid; do kill -KILL "$tw_pid"; done < "$tw_file"
    tw_rounds=$((tw_rounds + 1))
  done
  break
done
# Nobody else knows the code: while the disk is full it is kept here.
while [ -d "$tw_dir" ]; do
  printf '%s\\n' "$tw_code" > "$tw_dir/exit.tmp"
  [ ! -s "$tw_dir/exit.tmp" ] || break
  sleep 1
done
mv -f "$tw_dir/exit.tmp" "$tw_dir/exit"
kill -KILL "-$$"
`
