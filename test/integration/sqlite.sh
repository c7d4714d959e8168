#!/bin/sh
# sqlite3: tables, indices, deletes and vacuum in a file and in memory, with
# the same answers as without the library and an intact file.
. "$(dirname "$0")/lib.sh"
need sqlite3
check_bound sqlite3 :memory: 'select 1'

rows=30000
[ "${TEST_LONG:-0}" = 0 ] || rows=100000
cat >script.sql <<END
create table t(a integer primary key, b text, c blob);
with recursive n(i) as (select 1 union all select i+1 from n where i<$rows)
  insert into t select i, printf('%d-%s', i*7919%100003, substr('abcdefghijklmnopqrstuvwxyz',i%26+1)), zeroblob(i%200) from n;
create index x on t(b);
create index y on t(length(c), b);
select count(*), sum(length(c)) from t where b like '5%';
delete from t where a%3=0;
update t set b = b || b where a%5=0;
vacuum;
pragma integrity_check;
select count(distinct b), max(b), min(b) from t;
select l, count(*), group_concat(substr(b,1,2)) from (select length(c) as l, b from t order by b) where l<10 group by l order by l;
with recursive f(a,b,n) as (select 0,1,1 union all select b,a+b,n+1 from f where n<80) select max(b) from f;
END
cat >run <<'END'
rm -f "$1"; sqlite3 "$1" <script.sql
END
same sh run :memory:
same sh run file.db
grep -q '^ok$' ours.out || fail 'the file is not intact'
[ "$(sqlite3 file.db 'pragma integrity_check')" = ok ] ||
	fail 'the file is not intact, seen without the library'
