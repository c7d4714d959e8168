#!/bin/sh
# Memory goes back: all figures of scripts/footprint. Long.
. "$(dirname "$0")/lib.sh"

[ "${TEST_LONG:-0}" = 1 ] || skip "only with TEST_LONG=1: it takes 15 minutes"
need python3
exec python3 "$here/../../scripts/footprint" "ours=$lib"
