#!/bin/sh
# php opens its extensions with RTLD_DEEPBIND: it starts with all it has, and
# they do what they do without the library.
. "$(dirname "$0")/lib.sh"
need php
check_bound php -m
same php -m
[ "$ours" -eq 0 ] || fail 'php failed, with and without the library'

cat >script.php <<'END'
<?php
$all = [];
for ($i = 0; $i < 20000; $i++) {
	$all[] = ['id' => $i, 'text' => str_repeat('x', $i % 700)];
	if (count($all) > 500)
		array_splice($all, $i % 400, 100);
}
echo md5(json_encode($all)), "\n", md5(serialize($all)), "\n";
$functions = [
	'preg_replace' => fn() => preg_replace('/(\d+)(x*)/', '$2$1',
	    json_encode($all)),
	'iconv' => fn() => iconv('UTF-8', 'UTF-16LE', str_repeat('äöü', 9999)),
	'ctype_alpha' => fn() => (string)ctype_alpha('abc'),
	'hash' => fn() => hash('sha256', json_encode($all)),
	'gettext' => fn() => gettext('text'),
	'sodium_crypto_generichash' => fn() =>
	    sodium_crypto_generichash(json_encode($all)),
	'exif_tagname' => fn() => (string)exif_tagname(0x10f),
	'readline_list_history' => fn() => 'x',
	'socket_create' => fn() => get_debug_type(
	    socket_create(AF_UNIX, SOCK_STREAM, 0)),
	'posix_getpwuid' => fn() => json_encode(posix_getpwuid(0)),
	'finfo_open' => fn() => finfo_buffer(finfo_open(FILEINFO_MIME),
	    '%PDF-1.4'),
	'gzcompress' => fn() => gzuncompress(gzcompress(json_encode($all))),
];
foreach ($functions as $name => $run)
	echo $name, ' ', function_exists($name) ? md5($run()) : '-', "\n";
if (class_exists('PharData')) {
	$tar = new PharData(getcwd() . '/a.tar');
	$tar->addFromString('file', json_encode($all));
	echo md5($tar['file']->getContent()), "\n";
	unset($tar);
	unlink(getcwd() . '/a.tar');
}
END
same php script.php
[ "$ours" -eq 0 ] || fail 'the script failed, with and without the library'
same php -d opcache.enable_cli=1 script.php

# The name is Debian's; others build all in.
modules=$(find "$(php -r 'echo ini_get("extension_dir");')" -name '*.so' \
	2>/dev/null | wc -l)
echo "$modules extensions in files"
exit 0
