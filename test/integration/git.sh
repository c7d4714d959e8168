#!/bin/sh
# git: a repository with 50 commits (TEST_LONG=1: 200) made under the library has the very same
# head as one made without it; then gc, fsck, clone, log, diff and blame.
. "$(dirname "$0")/lib.sh"
need git
check_bound git hash-object -t blob /dev/null

HOME=$tmp GIT_CONFIG_NOSYSTEM=1
GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org
GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@example.org
export HOME GIT_CONFIG_NOSYSTEM GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL \
	GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
git config --global gc.auto 0

count=50
[ "${TEST_LONG:-0}" = 0 ] || count=200

cat >make-repository <<'END'
set -e
git init -q -b main "$1"
cd "$1"
count=$2
quarter=$((count / 4))
i=0
while [ $i -lt $count ]; do
	GIT_AUTHOR_DATE="$((1700000000 + i * 60)) +0000"
	GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
	export GIT_AUTHOR_DATE GIT_COMMITTER_DATE
	mkdir -p "dir$((i % 7))"
	seq $i $((i + 50 + i % 13)) >"dir$((i % 7))/file$((i % 31))"
	echo "line $i" >>log
	git add -A
	git commit -q -m "change $i"
	if [ $((i % quarter)) -eq $((quarter - 1)) ]; then
		git tag "t$((i / quarter + 1))"
	fi
	i=$((i + 1))
done
git checkout -q -b side t2
echo side >>other
git add -A
git commit -q -m side
git checkout -q main
git merge -q -m merge side
END
sh make-repository plain $count 2>plain.err || fail 'git does not work here'
preloaded sh make-repository ours $count 2>ours.err || {
	cat ours.err >&2
	fail 'no repository could be made'
}
[ "$(git -C plain rev-parse HEAD)" = "$(git -C ours rev-parse HEAD)" ] ||
	fail 'the commits are not the same'
preloaded git -C ours gc -q --aggressive --prune=now || fail gc
preloaded git -C ours fsck --full --strict >fsck.out 2>&1 || {
	cat fsck.out >&2
	fail fsck
}
preloaded git clone -q "file://$tmp/ours" clone || fail clone
[ "$(git -C clone rev-parse HEAD)" = "$(git -C ours rev-parse HEAD)" ] ||
	fail 'the clone is not the same'
git -C clone fsck --full >fsck.out 2>&1 || fail 'fsck of the clone'
same git -C clone log -p --stat --all --graph
same git -C clone blame log
same git -C clone grep -n '1[0-9]5' HEAD
same git -C clone diff t1 t4
