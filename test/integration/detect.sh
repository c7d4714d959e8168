#!/bin/sh
# What is promised of bugs in programs is kept: all of test/detect.
. "$(dirname "$0")/lib.sh"

need python3 "${CC:-cc}"
exec python3 "$here/../../scripts/detect" --verify "ours=$lib" \
	"full=env:MALLOC_CONF=$(strict safety:full)@$lib" \
	"guarded=env:MALLOC_CONF=$(strict guard_sample:1)@$lib"
