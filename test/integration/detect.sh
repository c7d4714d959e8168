#!/bin/sh
# What is promised of bugs in programs is kept: all of test/detect.
. "$(dirname "$0")/lib.sh"

need python3 "${CC:-cc}"
# What is said without a bug is not a finding.
python3 "$here/../../scripts/detect" -b 'write after free' \
	"ours=env:MALLOC_CONF=$(strict cache_oblivious:false)@$lib" >out 2>&1
grep -q 'ours says at start: .*cache_oblivious' out && grep -q '| 0 of ' out ||
	fail "a line at start is taken for a finding: $(cat out)"
exec python3 "$here/../../scripts/detect" --verify "ours=$lib" \
	"full=env:MALLOC_CONF=$(strict safety:full)@$lib" \
	"guarded=env:MALLOC_CONF=$(strict guard_sample:1)@$lib"
