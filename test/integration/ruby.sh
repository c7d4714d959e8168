#!/bin/sh
# ruby, as people check that it has a jemalloc: statistics at its end; then a
# script of many objects and threads.
. "$(dirname "$0")/lib.sh"
need ruby
check_bound ruby --version
MALLOC_CONF=$(strict stats_print:true) preloaded ruby --version >out 2>err || fail 'ruby --version'
grep -q '^ruby ' out || fail 'no version'
grep -q 'Begin jemalloc statistics' err || fail 'no statistics at the end'
grep -q 'End jemalloc statistics' err || fail 'the statistics have no end'
cat >script.rb <<'END'
words = (0...50_000).map { |i| "word #{i * 7919 % 10_007}" }
table = words.group_by { |word| word[-1] }.transform_values(&:size)
puts table.sort.inspect
threads = (0...4).map do |t|
  Thread.new { (0...300).map { |i| ("x" * i * 50).reverse.sum }.sum + t }
end
puts threads.map(&:value).inspect
child = fork { words.map!(&:upcase); exit!(words[7] == "WORD #{7 * 7919 % 10_007}" ? 3 : 4) }
Process.wait(child)
puts $?.exitstatus
GC.start
GC.compact if GC.respond_to?(:compact)
puts words.hash == words.dup.hash
END
same ruby script.rb
exit 0
