#!/bin/sh
# Firefox: has operators of its own in its programs, and many processes. It
# takes a picture of a page, and nothing is said by the library.
. "$(dirname "$0")/lib.sh"
need firefox-esr timeout
# It has a malloc of its own in its programs, but not all of the functions.
symbol=mallinfo
check_bound firefox-esr --version
cat >page.html <<'END'
<!DOCTYPE html><title>page</title><canvas id=c width=300 height=200></canvas>
<p id=p></p><script>
let c = document.getElementById('c').getContext('2d'), kept = [];
for (let i = 0; i < 3000; i++) {
	kept[i % 100] = new Uint8Array(100 + i * 7).fill(i);
	c.fillStyle = `rgb(${i % 256}, ${kept[i % 100][0]}, 9)`;
	c.fillRect(i % 300, i % 200, 9, 9);
}
document.getElementById('p').textContent = kept.length;
</script>
END
mkdir home
picture() { # NAME LIBRARY
	env HOME="$tmp/home" MOZ_CRASHREPORTER_DISABLE=1 LD_PRELOAD="$2" \
		timeout 1500 firefox-esr --headless --no-remote \
		--profile "$tmp/home" --screenshot "$tmp/$1.png" \
		"file://$tmp/page.html" >"$1.log" 2>&1
	# Starting it leaves processes that end by themselves.
	[ -s "$1.png" ]
}
picture plain '' ||
	skip "firefox takes no picture here: $(tail -n 1 plain.log)"
picture ours "$lib" || fail "no picture: $(tail -n 3 ours.log)"
grep -a 'jemalloc>' ours.log >&2 && fail 'the library had something to say'
grep -aqi 'exited on signal\|crash' ours.log &&
	! grep -aqi 'exited on signal\|crash' plain.log &&
	fail "a process died: $(grep -ai 'signal\|crash' ours.log | head -n 1)"
head -c 8 ours.png | od -An -c | grep -q 'P   N   G' || fail 'not a picture'
exit 0
