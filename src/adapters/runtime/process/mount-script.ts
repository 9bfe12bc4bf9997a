/**
 * The POSIX shell script that shows volumes at their paths, inside a mount namespace of its own.
 *
 *     unshare --mount --propagation slave mount.sh DIRECTORY WORKING_DIRECTORY STEP... -- COMMAND...
 *
 * with these steps, in this order:
 *
 *     keep PATH                    a directory whose real content stays visible under every layer
 *     root                         something is missing right under /: work in a copy of /
 *     layer PATH                   something is missing under this directory: put a layer over it
 *     bind KIND MODE SOURCE PATH   show SOURCE at PATH; KIND is dir or file, MODE is ro or rw
 *     seal                         in the end nothing can be written but what was bound rw, /dev and
 *                                  /proc
 *     processes                    /proc shows the processes of the namespace that this script is in,
 *                                  and `running` says so
 *
 * Nothing is ever made on the host: a missing mount point is made in a layer that only this
 * namespace sees and that vanishes with its last process. DIRECTORY/scratch must exist.
 */
export const MOUNT_SCRIPT: string = `#!/bin/sh
tw_dir=$1 tw_cwd=$2
shift 2
tw_path=$PATH
PATH=/usr/sbin:/usr/bin:/sbin:/bin
tw_scratch=$tw_dir/scratch
tw_root=
tw_keeps=
tw_layers=0
tw_seal=no
tw_self=$$ tw_whose=
tw_open=
tw_nl='
'

# Where this script itself writes: the directory, also when that cannot be written any more.
tw_state=$tw_dir

tw_fail() {
  printf '%s\\n' "$1" > "$tw_state/failure.tmp"
  mv -f "$tw_state/failure.tmp" "$tw_state/failure"
  exit 128
}

# Shows every entry of directory $1 in the empty directory $2 by bind mounts. Unlike one recursive
# bind mount of the directory, this leaves room beside the entries.
tw_mirror() {
  for tw_entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    tw_name=\${tw_entry##*/}
    if [ -L "$tw_entry" ]; then
      ln -s "$(readlink "$tw_entry")" "$2/$tw_name" || return 1
    elif [ -d "$tw_entry" ]; then
      mkdir "$2/$tw_name" && mount --rbind "$tw_entry" "$2/$tw_name" || return 1
    elif [ -e "$tw_entry" ]; then
      : > "$2/$tw_name" && mount --bind "$tw_entry" "$2/$tw_name" || return 1
    fi
  done
}

# Builds in $2 what directory $1 is, with room for more. An overlay is best; where the kernel or the
# file system refuses one, a mirror does.
tw_cover() {
  mkdir -p "$2" "$2.upper" "$2.work"
  # What a directory allows, it allows in its layer: others write in /tmp, too.
  tw_like "$1" "$2"
  tw_like "$1" "$2.upper"
  case $1 in
    *[,:\\\\]*) tw_overlaid=no ;;
    *) mount -t overlay -o "lowerdir=$1,upperdir=$2.upper,workdir=$2.work" overlay "$2" 2>/dev/null &&
         tw_overlaid=yes || tw_overlaid=no ;;
  esac
  if [ "$tw_overlaid" = no ]; then
    tw_mirror "$1" "$2"
    return
  fi
  # An overlay hides what is mounted below it, and gives the pod's own directories a second self.
  while read -r tw_source tw_point tw_rest; do
    case $tw_point in
      "$tw_scratch" | "$tw_scratch"/*) ;;
      "$1"/*) tw_show "$tw_point" "$2\${tw_point#"$1"}" ;;
    esac
  done < /proc/self/mounts
  tw_rest=$tw_keeps
  while [ -n "$tw_rest" ]; do
    tw_keep=\${tw_rest%%"$tw_nl"*}
    tw_rest=\${tw_rest#*"$tw_nl"}
    case $tw_keep in
      "$1"/*) tw_show "$tw_keep" "$2\${tw_keep#"$1"}" ;;
    esac
  done
}

tw_like() {
  chmod "$(stat -c %a "$1")" "$2" && chown "$(stat -c %u:%g "$1")" "$2"
}

# Whether path $1 stays writable: it is what was asked for, or a file system of the kernel.
tw_stays() {
  case $1 in
    "$tw_root"/dev | "$tw_root"/dev/* | "$tw_root"/proc | "$tw_root"/proc/*) return 0 ;;
    "$tw_state" | "$tw_state"/*) return 0 ;;
  esac
  tw_rest=$tw_open
  while [ -n "$tw_rest" ]; do
    tw_each=\${tw_rest%%"$tw_nl"*}
    tw_rest=\${tw_rest#*"$tw_nl"}
    case $1 in
      "$tw_each" | "$tw_each"/*) return 0 ;;
    esac
  done
  return 1
}

# Makes everything that is mounted in this namespace read-only, with few exceptions.
tw_close_all() {
  mkdir "$tw_scratch/state" && mount --bind "$tw_dir" "$tw_scratch/state" || return 1
  tw_state=$tw_scratch/state
  while read -r tw_source tw_point tw_kind tw_options tw_ignored; do
    # Blanks in names are written as octal numbers.
    case $tw_point in
      *\\\\*) tw_point=$(printf '%b.' "$tw_point") && tw_point=\${tw_point%.} ;;
    esac
    case ,$tw_options, in *,ro,*) continue ;; esac
    tw_stays "$tw_point" && continue
    # Said in full, source and flags: else mount reads the whole table once more for each of its rows.
    tw_flags=remount,bind,ro
    for tw_flag in nosuid nodev noexec noatime nodiratime relatime; do
      case ,$tw_options, in *,"$tw_flag",*) tw_flags=$tw_flags,$tw_flag ;; esac
    done
    # What was unmounted on the host meanwhile is no longer here, either: not a word of it, since what
    # is said here ends up in the log of the container. What remains is tried again, aloud.
    mount -n -o "$tw_flags" none "$tw_point" 2>/dev/null || ! mountpoint -q "$tw_point" ||
      mount -n -o "$tw_flags" none "$tw_point" || return 1
  done < /proc/self/mounts
}

# A mount point with an unusual name is not worth failing for.
tw_show() {
  [ -e "$2" ] && mount --rbind "$1" "$2" 2>/dev/null || :
}

# Sets tw_place to where path $1 is being built: in a layer, in the copy of / or right there.
tw_locate() {
  tw_place=$tw_root$1
  tw_number=0
  while [ "$tw_number" -lt "$tw_layers" ]; do
    eval "tw_over=\\$tw_layer_$tw_number"
    case $1 in
      "$tw_over"/*) tw_place=$tw_scratch/layer$tw_number\${1#"$tw_over"} ;;
    esac
    tw_number=$((tw_number + 1))
  done
}

mount -t tmpfs -o mode=0755 tideway "$tw_scratch" || tw_fail "cannot mount a tmpfs in the namespace"

while [ "$1" != -- ]; do
  case $1 in
    keep)
      tw_keeps=$tw_keeps$2$tw_nl
      shift 2
      ;;
    root)
      tw_root=$tw_scratch/root
      mkdir "$tw_root" && tw_mirror "" "$tw_root" || tw_fail "cannot build a root directory"
      shift
      ;;
    layer)
      tw_cover "$2" "$tw_scratch/layer$tw_layers" || tw_fail "cannot put a layer over $2"
      eval "tw_layer_$tw_layers=\\$2"
      tw_layers=$((tw_layers + 1))
      shift 2
      ;;
    bind)
      tw_locate "$5"
      if [ "$2" = dir ]; then
        [ -d "$tw_place" ] || mkdir -p "$tw_place" || tw_fail "cannot make mount point $5"
        mount --rbind "$4" "$tw_place" || tw_fail "cannot mount $4 at $5"
      else
        [ -e "$tw_place" ] || { mkdir -p "\${tw_place%/*}" && : > "$tw_place"; } ||
          tw_fail "cannot make mount point $5"
        mount --bind "$4" "$tw_place" || tw_fail "cannot mount $4 at $5"
      fi
      if [ "$3" = ro ]; then
        mount -o remount,bind,ro "$tw_place" || tw_fail "cannot make $5 read-only"
      else
        tw_open=$tw_open$tw_root$5$tw_nl
      fi
      shift 5
      ;;
    seal)
      tw_seal=yes
      shift
      ;;
    processes)
      # Still the /proc of outside: it has the number that others know this process by.
      read -r tw_self tw_ignored < /proc/self/stat || tw_fail "cannot read /proc/self/stat"
      tw_whose=' own'
      shift
      ;;
    *) tw_fail "unknown step $1" ;;
  esac
done
shift

# Only now do the layers cover the originals: until here every source was reachable.
tw_at=0
while [ "$tw_at" -lt "$tw_layers" ]; do
  eval "tw_over=\\$tw_layer_$tw_at"
  mount --rbind "$tw_scratch/layer$tw_at" "$tw_root$tw_over" || tw_fail "cannot put a layer over $tw_over"
  tw_at=$((tw_at + 1))
done

[ "$tw_seal" = no ] || tw_close_all || tw_fail "cannot make the root file system read-only"

[ -z "$tw_whose" ] || mount -t proc -o nosuid,nodev,noexec proc "$tw_root/proc" ||
  tw_fail "cannot mount /proc in the namespace"

tw_to=\${tw_cwd:-/}
cd "$tw_root$tw_to" || tw_fail "chdir to cwd (\\"$tw_to\\") failed: no such directory or no permission"
unset OLDPWD
printf '%s%s\\n' "$tw_self" "$tw_whose" > "$tw_state/running" || tw_fail "cannot write in $tw_dir"
[ "$tw_seal" = no ] || umount -l "$tw_state" || exit 128
if [ -n "$tw_root" ]; then
  # chroot(8) goes to /, so the working directory is entered once more behind it.
  exec env PATH="$PATH" chroot "$tw_root" /bin/sh -c \\
    'cd "$1" && unset OLDPWD && PATH=$2 && shift 2 && exec "$@"' sh "$tw_to" "$tw_path" "$@"
fi
PATH=$tw_path
exec "$@"
`
