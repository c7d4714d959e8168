# What the scripts share; read in by each of them with
#   . "$(dirname "$(readlink -f "$0")")/lib.sh"
# Afterwards:
#   $self      the script's name, for messages
#   $here      the source folder
# a function for tests that can't be run:
#   skip       the only way in which a script is skipped
# and after `find_root`:
#   $root      the source folder by a name that make and the dynamic loader take
#   $place     the folder that build folders are in: $root, mostly
# shellcheck shell=sh

# With it, cd prints where it goes, or goes elsewhere.
unset CDPATH
self=scripts/${0##*/}
here=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd -P) || exit 1

print_usage() { # the comment that the script begins with
	awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"
}

refuse() { # TEXT...: what is asked for makes no sense
	echo "$self: $*; $self --help says more" >&2
	exit 2
}

give_up() { # TEXT...
	echo "$self: $*" >&2
	exit 1
}

skip() { # TEXT...: what this machine or build lacks; never for a failure
	echo "skipped: $*"
	exit 77
}

# Neither make nor LD_PRELOAD can name a file in a path with a blank. Then the
# build folders are elsewhere, beside a link to the sources without blanks.
find_root() {
	case $here in
	*[!A-Za-z0-9/._+=,-]*) ;;
	*)
		root=$here place=$here
		return
		;;
	esac
	mine=/var/tmp/jemalloc-$(id -u)
	mkdir -p -m 700 "$mine"
	# Anybody can make folders there: this one must be ours.
	[ -d "$mine" ] && [ ! -L "$mine" ] && [ -O "$mine" ] ||
		give_up "$mine is not a folder of yours, and $here can't be used" \
			"for building: its name has a blank or the like"
	place=$mine/$(printf %s "$here" | cksum | tr ' ' -)
	root=$place/source
	mkdir -p "$place" && ln -sfn "$here" "$root" || exit 1
}

# Makes the folder $place/NAME; if it is elsewhere, with a link to it here.
make_folder() { # NAME
	mkdir -p "$place/$1" 2>/dev/null && [ -w "$place/$1" ] ||
		give_up "can't write to $place/$1"
	if [ "$place" != "$root" ] && { [ -L "$here/$1" ] || [ ! -e "$here/$1" ]; }; then
		[ "$(readlink "$here/$1")" = "$place/$1" ] ||
			ln -sfn "$place/$1" "$here/$1" || exit 1
	fi
}

# Whether `configure` has to be written (again): then autoconf is needed.
needs_autogen() {
	[ ! -x "$root/configure" ] || [ ! -e "$root/Makefile.in" ] ||
		[ -n "$(find "$root/configure.ac" "$root/Makefile.am" \
		    -newer "$root/Makefile.in")" ] ||
		[ -n "$(find "$root/src/" "$root/test/" "$root/bin/" \
		    -name local.mk -newer "$root/Makefile.in")" ]
}
