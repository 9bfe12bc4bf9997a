/**
 * Lines of POSIX shell that set the resource limits of a container's command, and of one that joins
 * it: no core dumps, which would end up in the files of the machine, and at most 1,024 open files until
 * the command asks for more itself. Programs that know of no more, as those with select(2), would break
 * with the limit of Node, which is raised to the hard one at its start. All else, hard limits included,
 * is that of this process: nothing is ever raised.
 */
export const RESOURCE_LIMITS: string = `ulimit -c 0
tw_files=$(ulimit -S -n)
[ "$tw_files" != unlimited ] && [ "$tw_files" -le 1024 ] || ulimit -S -n 1024`
