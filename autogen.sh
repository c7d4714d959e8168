#!/bin/sh
# Writes `configure` and Makefile.in, which a released tarball has already.
#
# usage: ./autogen.sh
#
# Needs autoconf, automake, libtool and pkg-config.
case ${1-} in
'') ;;
--help | -h)
	awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"
	exit 0
	;;
*)
	echo "autogen.sh: there is no option '$1'; --help says more" >&2
	exit 2
	;;
esac
cd "$(dirname "$(readlink -f "$0")")" || exit 1
for program in autoreconf automake libtoolize pkg-config; do
	command -v $program >/dev/null || {
		echo "autogen.sh: $program is not installed; needed are" \
			'autoconf, automake, libtool and pkg-config' >&2
		exit 1
	}
done
# Half of the files would be taken for all of them the next time.
autoreconf --force --install || {
	rm -f configure Makefile.in
	exit 1
}
