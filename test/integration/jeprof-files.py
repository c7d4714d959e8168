#!/usr/bin/env python3
"""Files that are not quite the program: its debug information alone, a part of it, one without sections."""
import os
import re
import shutil
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
import jeprof as test
from jeprof import BASE, check, good, hand_written, run, symbols, table, text_mapping, write
from lib import left_out

OTHER = "not the file that was mapped"
CUT = "the file is truncated"


def old(path):
    """As if it were there since before the profile."""
    os.utime(path, (1e9, 1e9))
    return path


def moved(dump, line, pages, more=0):
    """The profile with code mapped from that many pages further on in the file, and more of it."""
    start, end, offset = (int(part, 16) for part in re.match(r"(\w+)-(\w+) \S+ (\w+)", line).groups())
    with open(dump, encoding="utf-8") as file:
        text = file.read()
    return write("moved.heap", text.replace(line, line.replace(
        f"-{end:x} r-xp {offset:08x}", f"-{end + more:x} r-xp {offset + pages * 4096:08x}")))


def test_debug(program, base):
    """The file of debug information says where code would be."""
    dump = hand_written(program, base, symbols(program), "files.heap")
    want = good("--show_bytes", program, dump)
    done = subprocess.run(["objcopy", "--only-keep-debug", program, "debug"], check=False)
    if done.returncode != 0:
        left_out("objcopy can't make a file of debug information")
        return
    debug = old("debug")
    status, out, error = run("--show_bytes", debug, dump)
    check(status == 0 and out == want and error == "", "debug information alone", out, error)
    check(good("--lines", debug, dump) == good("--lines", program, dump), "its lines")
    # It must say that there is code at this place.
    line = text_mapping(program, base)
    start, end, offset = (int(part, 16) for part in re.match(r"(\w+)-(\w+) \S+ (\w+)", line).groups())
    size = (end - start) // 4096
    for pages, fits in (-1, False), (0, True), (size - 1, True), (size, False), (size + 1, False):
        if offset + pages * 4096 < 0:
            continue
        error = run("--show_bytes", debug, moved(dump, line, pages))[2]
        check((OTHER not in error) == fits, "where code is", pages, error)
    # Much as it may be: the file says nothing of that.
    check(OTHER not in run(debug, moved(dump, line, 0, 65536))[2], "more code")
    check(OTHER in run(old("program"), moved(dump, line, 0, 65536))[2], "more code than the program has")


def test_parts(program):
    """Without the end of the file there are no names: that is told."""
    dump = hand_written(program, BASE, symbols(program), "parts.heap")
    with open(program, "rb") as file:
        data = file.read()
    table, = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    whole = table + size * count
    for length in 4096, table // 2, table - 1, table, table + 1, whole - 1, whole, whole + 100:
        with open("part", "wb") as file:
            file.write((data + bytes(200))[:length])
        status, _, error = run("--show_bytes", old("part"), dump)
        check(status == 0 and error.count("part: " + CUT) == (length < whole), "a part", length, whole, error)
    # That there are no sections is no such mistake.
    bare = bytearray(data)
    bare[40:48] = bytes(8)
    bare[58:64] = bytes(6)
    with open("part", "wb") as file:
        file.write(bare)
    status, _, error = run("--show_bytes", old("part"), dump)
    check(status == 0 and CUT not in error, "no sections", error)


def test_unaligned():
    """Code that is at another place in memory than in the file, and a profile that has a build id and code alone."""
    if not shutil.which("ld.lld"):
        left_out("ld.lld (lld) is not installed")
        return
    program = test.compile_program("lld", "-pie", "-fPIE", "-fuse-ld=lld", "-Wl,--build-id=sha1")
    dump = hand_written(program, BASE, symbols(program), "lld.heap")
    want = table(good("--show_bytes", program, dump))
    subprocess.run(["objcopy", "--only-keep-debug", "lld", "debug"], check=True)
    notes = subprocess.run(["readelf", "-nW", program], capture_output=True, text=True, check=True).stdout
    line = text_mapping(program, BASE)
    start, end, offset = re.match(r"(\w+)-(\w+) \S+ (\w+)", line).groups()
    with open(dump, encoding="utf-8") as file:
        text = file.read()
    closed = f"closed {start}-{end} {offset} {re.search(r'Build ID: (.*)', notes)[1]} 00:00 0 {program}\n"
    dump = write("closed.heap", text.replace(line, closed))
    status, out, error = run("--show_bytes", "debug", dump)
    check(status == 0 and table(out) == want and error == "", "debug information, code alone", out, error)


def all_tests():
    program = test.compile_program("program", "-pie", "-fPIE")
    test_debug(program, BASE)
    if struct.calcsize("P") == 8 and sys.byteorder == "little":
        test_parts(program)
    os.rename("program", "moved")
    test_debug(test.compile_program("program", "-no-pie", "-fno-PIE"), 0)
    test_unaligned()
    # Code may be in the first segment.
    os.rename("program", "fixed")
    test_debug(test.compile_program("program", "-pie", "-fPIE", "-Wl,-z,noseparate-code"), BASE)


test.run_tests(all_tests)
