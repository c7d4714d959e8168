#!/bin/sh
# perl: hashes, regular expressions, sorting, references, fork.
. "$(dirname "$0")/lib.sh"
need perl
check_bound perl -e 1

cat >script <<'END'
use strict;
my %h;
for my $i (1 .. 200000) { $h{"k" . ($i * 7919 % 100003)} .= "v$i,"; }
delete $h{$_} for grep { /7$/ } keys %h;
my $sum = 0;
$sum = ($sum * 31 + length $h{$_}) % 1000000007 for sort keys %h;
print scalar(keys %h), " $sum\n";
my $text = join ' ', map { "word$_" } 1 .. 50000;
my $n = 0;
$n++ while $text =~ /\bword(\d*)3(\d*)\b/g;
(my $swapped = $text) =~ s/word(\d+)/$1word/g;
print "$n ", length $swapped, "\n";
my @tree = (1);
@tree = ([@tree], { a => [@tree[0 .. ($#tree < 5 ? $#tree : 5)]] }, "x" x $_) for 1 .. 2000;
sub depth { my $t = shift; my $d = 0; while (ref $t eq 'ARRAY') { $t = $t->[0]; $d++ } $d }
print depth(\@tree), "\n";
@tree = ();
for my $c (1 .. 10) {
	my $pid = fork // die;
	if (!$pid) { my @a = map { "$_" x 10 } 1 .. 20000; exit(@a == 20000 ? $c : 99); }
	waitpid $pid, 0;
	print $? >> 8, "\n";
}
my $s = '';
$s .= chr(65 + $_ % 26) x ($_ % 50) for 1 .. 20000;
print unpack('%32C*', $s), "\n";
if (open my $maps, '<', '/proc/self/maps') {
	my $loaded = grep { index($_, $ENV{LD_PRELOAD} // 'none') >= 0 } <$maps>;
	print STDERR "not loaded\n" if $ENV{LD_PRELOAD} && !$loaded;
}
END
same perl script
