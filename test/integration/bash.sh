#!/bin/sh
# bash with arrays, subshells, pipes, traps and here documents, many forks at
# that: the same output with and without the library.
. "$(dirname "$0")/lib.sh"
need bash
check_bound bash --version

cat >script <<'END'
set -u
declare -a list; declare -A table
for ((i = 0; i < 20000; i++)); do list[i]="item $((i * 7919 % 10007))"; done
for ((i = 0; i < 5000; i++)); do table["key$i"]=${list[i]}${list[19999 - i]}; done
for ((i = 0; i < 5000; i += 3)); do unset "table[key$i]"; done
echo "${#list[@]} ${#table[@]}"
printf '%s\n' "${table[@]}" | sort | cksum
for ((i = 0; i < 60; i++)); do
	(list=("${list[@]:i:50}"); echo "${list[*]}" | tr a-z A-Z | cksum)
done | sort | cksum
text=; for ((i = 0; i < 2000; i++)); do text+="line $i of many"$'\n'; done
while read -r word rest; do echo "${rest#* }$word"; done <<<"$text" | cksum
f() { local x=$1; if ((x < 2)); then echo "$x"; else echo $(($(f $((x - 1))) + $(f $((x - 2))))); fi; }
f 9
mapfile -t lines < <(seq 30000); echo "${#lines[@]} ${lines[29999]}"
trap 'echo bye' EXIT
coproc cat; echo hello >&"${COPROC[1]}"; read -r answer <&"${COPROC[0]}"; echo "$answer"
eval "exec ${COPROC[1]}>&-"; wait
exit 3
END
same bash script
[ "$ours" -eq 3 ] || fail "exit status $ours, not 3"
grep -q bye ours.out || fail 'the trap did not run'
