#!/usr/bin/env python3
"""jeprof's names: scopes of inlined functions and of those that no other file can
call, lambdas, debug information in files of its own, Rust's types, code that was
made at run time."""
import glob
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import jeprof as test
from jeprof import BASE, bad, check, good, symbols, table, text_mapping, write
from lib import LIB, built_with, left_out, strict

CXX = """
#include <stdlib.h>
#define IN __attribute__((always_inline)) inline
#define OUT __attribute__((noinline))
static void *kept[1000];
static int count;
OUT static void take(int n) { kept[count++] = malloc(n); __asm__ volatile(""); }
template <class T> OUT void plain(T n) { take(n); __asm__ volatile(""); }
namespace {
struct hidden {
	IN void grow(int n) { take(n); }
	template <class T> OUT T twice(T n) { take(n); __asm__ volatile(""); return n; }
};
IN void quiet(int n) { take(n); }
OUT void loud(int n) { take(n); __asm__ volatile(""); }
}
namespace app {
struct server {
	OUT int run(int n)
	{
		auto first = [&](int k) __attribute__((always_inline)) { take(k); };
		auto second = [&](int k) __attribute__((always_inline)) { take(k); };
		auto third = [&](int k) __attribute__((noinline)) { take(k); __asm__ volatile(""); };
		auto f4 = [&](int k) OUT { take(k); __asm__ volatile(""); }; auto f5 = [&](int k) OUT { take(k); __asm__(""); };
		f4(n); f5(n); plain(n);
		hidden h;
		struct local { IN void act(int n) { take(n); } } l;
		first(n); second(n); third(n); h.grow(n); h.twice(n); quiet(n); loud(n); l.act(n);
		return count;
	}
};
}
int main() { app::server s; return s.run(100) == 0; }
"""
RUST = """
trait Grow { fn grow(&self, n: usize) -> Vec<u8>; }
macro_rules! grow { ($($t:ty),*) => { $(impl Grow for $t {
    #[inline(never)] fn grow(&self, n: usize) -> Vec<u8> { Vec::with_capacity(n) } })* } }
grow!([u8; 4], (u8, &str), fn(u32) -> u64, &[u8]);
struct Server;
impl Server { #[inline(never)] fn run<F: Fn() -> Vec<u8>>(&self, f: F) -> Vec<u8> { f() } }
fn twice(x: u32) -> u64 { x as u64 * 2 }
extern "C" { fn exit(c: i32) -> !; }
fn main() {
    let kept = vec![[1u8; 4].grow(1001), (1u8, "x").grow(1002), (twice as fn(u32) -> u64).grow(1003),
        (&[1u8, 2][..]).grow(1004),
        Server.run(|| Vec::with_capacity(1005)),
        Server.run(|| Vec::with_capacity(1006))];
    std::hint::black_box(&kept);
    unsafe { exit(0) }
}
"""


def profile(program):
    for old in glob.glob("run.*"):
        os.remove(old)
    subprocess.run([program], check=True, env={**os.environ, "LD_PRELOAD": LIB, "MALLOC_CONF": strict(
        "prof:true,lg_prof_sample:0,prof_final:true,prof_prefix:run")})
    return glob.glob("run.*")[0]


def test_cxx():
    """In any way of writing debug information, each function has its scope and each lambda is its own."""
    write("scopes.cc", CXX)
    want = {"(anonymous namespace)::hidden::grow (inline)", "(anonymous namespace)::hidden::twice",
            "(anonymous namespace)::quiet (inline)", "(anonymous namespace)::loud",
            "app::server::run::local::act (inline)", "app::server::run::{lambda#1}::operator() (inline)",
            "app::server::run::{lambda#2}::operator() (inline)", "app::server::run::{lambda#3}::operator()",
            "app::server::run::{lambda#4}::operator()", "app::server::run::{lambda#5}::operator()", "plain"}
    for compiler in filter(shutil.which, ("g++", "clang++")):
        for flags in ([], ["-gdwarf-4"], ["-gsplit-dwarf"], ["-gsplit-dwarf", "-gdwarf-4"]):
            subprocess.run([compiler, "-g", "-O2", "-std=c++17", "-fno-builtin", *flags, "-o", "scopes", "scopes.cc"],
                           check=True)
            dump = profile("./scopes")
            rows = table(good("--inuse_objects", "--focus=take", dump))
            got = {name for name, (_, sum) in rows.items() if sum == 1} - {"take"}
            check(got == want, f"{compiler} {flags}", got ^ want)
            lines = table(good("--inuse_objects", "--lines", "--focus=take", dump))
            check(any(re.search(r"run /.*/scopes.cc:\d+$", name) for name in lines),
                  f"{compiler} {flags}: lines of callers", lines)


def test_rust():
    rustc = shutil.which("rustc")
    if rustc is None:
        left_out("rustc is not installed")
        return
    write("grow.rs", RUST)
    want = {"[u8; 4]::grow", "fn(u32) -> u64::grow", "&[u8]::grow"}
    for mangling in ("legacy", "v0"):
        done = subprocess.run([rustc, "-g", "-O", "-C", f"symbol-mangling-version={mangling}", "grow.rs", "-o", "grow"],
                              capture_output=True, text=True)
        if done.returncode != 0 and mangling == "legacy":
            # Newer ones only have the other.
            continue
        check(done.returncode == 0, "rustc", done.stderr)
        dump = profile("./grow")
        rows = {re.sub(r",(?=\S)", ", ", name): sum for name, (_, sum) in
                table(good("--show_bytes", "--focus=grow::main", dump)).items()}
        check(all(rows.get(name) == 1024 for name in want | {"(u8, &str)::grow"}), f"{mangling}: types", rows)
        closures = [name for name, sum in rows.items() if "{closure" in name and sum == 1024]
        check(len(closures) == 2 and not any("{{closure}}" in name for name in closures), f"{mangling}: closures", rows)
        folded = good("--collapsed", "--focus=grow::main", dump)
        check("[u8: 4] as " in folded and all(len(line.rsplit(" ", 1)[0].split(";")) > 4 and " " not in
              line.rsplit(";", 1)[1].replace(" [", "").rsplit(" ", 1)[0] for line in folded.splitlines()),
              f"{mangling}: a ; in a name", folded)


def test_jit(program):
    """Code made at run time has the names of perf's map; newer code at a place hides older one."""
    end = BASE + sum(symbols(program)["main"])
    text = "heap_v2/1\n  t*: 31: 31 [0: 0]\n"
    for at, size in (0x7e0000000010, 1), (0x7e0000000110, 2), (0x7e0000000800, 4):
        text += f"@ {at:#x} {end:#x}\n  t*: 1: {size} [0: 0]\n"
    pid = 4190000 + os.getpid() % 1000
    name = f"jeprof.{pid}.3.i3.heap"
    write(name, text + "\nMAPPED_LIBRARIES:\n" + text_mapping(program, BASE) +
          "7e0000000000-7e0000001000 rwxp 00000000 00:00 0 \n")
    names = "7e0000000000 400 LazyCompile:*old /x.js:1:1\nbad line\n7e0000000000 100 JS:~(anonymous) /x.js:2:3\n" \
        "7e0000000100 100 Lapp/Main;::run\n"
    write("names.map", names)
    want = {"JS:~(anonymous) /x.js:2:3": 1, "Lapp/Main;::run": 2, "[jit]": 4}
    path = f"/tmp/perf-{pid}.map"
    for options in ([], ["--perf_map=names.map"]):
        if not options:
            write(path, names)
        rows = {key: flat for key, (flat, _) in table(good("--show_bytes", *options, program, name)).items() if flat}
        if not options:
            os.remove(path)
        check(rows == want, f"perf's map {options}", rows)
    rows = table(good("--show_bytes", program, name))
    check(rows["[jit]"] == (7, 7), "without a map", rows)
    bad("missing.map: No such file", "--perf_map=missing.map", program, name)
    folded = good("--collapsed", "--perf_map=names.map", program, name)
    check("main;Lapp/Main:::run 2\n" in folded, "a ; in a name", folded)


def all_tests():
    test_jit(test.compile_program("program", "-pie", "-fPIE"))
    if not built_with("prof"):
        left_out("built without heap profiles")
        return
    test_cxx()
    test_rust()


test.run_tests(all_tests)
