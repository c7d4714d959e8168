#!/usr/bin/env python3
"""Libraries that were closed before the profile was written, in load maps made by hand: an address
has the names of one file only if no other one had code there."""
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import jeprof as test
from jeprof import BASE, check, run, symbols, table, text_mapping, write

SEVERAL = "several files had code"
MORE = "more libraries were closed"


def names(addresses, *maps):
    """What jeprof calls these addresses, in their order, and its remarks but those on missing files."""
    text = "heap_v2/1\n  t*: 1: 1 [0: 0]\n"
    for number, at in enumerate(addresses):
        text += f"@ {at:#x}\n  t*: 1: {1 << number} [0: 0]\n"
    dump = write("closed.heap", text + "\nMAPPED_LIBRARIES:\n" + "\n".join(maps) + "\n")
    status, out, error = run("--show_bytes", dump)
    check(status == 0, "it is read", maps, error)
    # Those with the same name are one row.
    rows = {number: name for name, (flat, _) in table(out).items() for number in range(len(addresses))
            if int(flat) >> number & 1}
    return [rows.get(number) for number in range(len(addresses))], \
        "".join(line + "\n" for line in error.splitlines() if "No such file" not in line)


def gone(start, end, name, build="-", offset=0):
    return f"closed {start:x}-{end:x} {offset:08x} {build} 00:00 0 /nowhere/{name}"


def test_overlaps():
    """Each part of the code of files that overlap."""
    maps = [gone(0x10000, 0x30000, "a.so", offset=0x1000), gone(0x20000, 0x40000, "b.so"),
            gone(0x40000, 0x50000, "c.so"), gone(0x48000, 0x48100, "d.so", "11" * 20)]
    # The one before is looked at first, but need not be the only one.
    places = [(0x3ffff, "[b.so+0x1ffff]"), (0x2ffff, "[a.so+0x20fff or b.so+0xffff]"), (0x1ffff, "[a.so+0x10fff]"),
              (0x20000, "[a.so+0x11000 or b.so+0x0]"), (0x30000, "[b.so+0x10000]"), (0x40000, "[c.so+0x0]"),
              (0x48000, "[c.so+0x8000 or d.so+0x0]"), (0x48100, "[c.so+0x8100]"), (0x50000, "[closed library]")]
    for order in places, places[::-1], places[3:] + places[:3]:
        for some in maps, maps[::-1]:
            said, remarks = names([at for at, _ in order], *some)
            want = [name for _, name in order]
            check(said == want and remarks.count("\n") == 1 and SEVERAL in remarks, "overlaps", said, want, remarks)
    said, remarks = names([0x12000, 0x22000, 0x45000], gone(0x10000, 0x60000, "a.so"), gone(0x20000, 0x30000, "b.so"),
                          gone(0x40000, 0x50000, "c.so"))
    check(said == ["[a.so+0x2000]", "[a.so+0x12000 or b.so+0x2000]", "[a.so+0x35000 or c.so+0x5000]"], "nested", said)
    said, remarks = names([0x1ffff, 0x20000], gone(0x10000, 0x20000, "a.so"), gone(0x20000, 0x30000, "b.so"))
    check(said == ["[a.so+0xffff]", "[b.so+0x0]"] and remarks == "", "neighbours", said, remarks)


def test_many():
    many = [gone(0x10000, 0x20000, f"{number}.so") for number in range(6)]
    said, _ = names([0x12345], *many[:4])
    check(said == ["[0.so+0x2345 or 1.so+0x2345 or 2.so+0x2345 or 3.so+0x2345]"], "four", said)
    said, _ = names([0x12345], *many)
    check(said == ["[0.so+0x2345 or 1.so+0x2345 or 2.so+0x2345 or 3.so+0x2345 or others]"], "six", said)


def test_builds(program):
    """One file twice, or two builds of it, or one at two places."""
    start, end, offset = (int(part, 16) for part in
                          re.match(r"(\w+)-(\w+) \S+ (\w+)", text_mapping(program, BASE)).groups())
    notes = subprocess.run(["readelf", "-nW", program], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Build ID: (\w+)", notes)
    at = BASE + symbols(program)["leaf"][0]
    live = text_mapping(program, BASE).rstrip("\n")

    def closed(build, first=start):
        return f"closed {first:x}-{first + end - start:x} {offset:08x} {build} 00:00 0 {program}"
    if found:
        own = found[1]
        for maps in [live, closed(own)], [closed(own), closed(own)], [closed(own)], \
                [closed(own), closed("-")], [live, closed("-")]:
            said, remarks = names([at], *maps)
            check(said == ["leaf"] and remarks == "", "one file", maps, said, remarks)
        os.symlink(program, "link")
        said, remarks = names([at], closed(own), closed(own).replace(program, os.path.abspath("link")))
        check(said == ["leaf"] and remarks == "", "one file by two paths", said, remarks)
        for maps in [live, closed("00" * 20)], [closed("11" * 20), closed("00" * 20)], [closed("00" * 20), closed("-")]:
            said, remarks = names([at], *maps)
            check(said == [f"[program+0x{at - BASE:x}, one of 2 builds]"] and SEVERAL in remarks, "builds", maps, said)
        said, _ = names([at], live, closed("00" * 20), closed("11" * 20))
        check(said == [f"[program+0x{at - BASE:x}, one of 3 builds]"], "three builds", said)
        for maps in [live, closed(own, start - 16)], [closed(own), closed(own, start - 16)]:
            said, remarks = names([at], *maps)
            check(said == [f"[program+0x{at - BASE + 16:x} or program+0x{at - BASE:x}]"] and SEVERAL in remarks,
                  "one file at two places", maps, said, remarks)
    said, remarks = names([at], closed("-"), closed("-"))
    check(said == ["leaf"] and remarks == "", "without a build id", said, remarks)
    said, _ = names([at], live, gone(start, end, "other.so"), closed("00" * 20))
    check(said == [f"[other.so+0x{at - start:x} or program+0x{at - BASE:x}]"], "a build and another file", said)
    # What has no build id is compared as well as can be.
    long = f"closed {start:x}-{end + 65536:x} {offset:08x} - 00:00 0 {program}"
    said, remarks = names([at], long)
    check(remarks.count("\n") == 1 and "not the file that was mapped" in remarks, "another file", said, remarks)
    os.utime(program, (4e9, 4e9))
    said, remarks = names([at], closed("-"))
    check(remarks.count("\n") == 1 and "is newer than the profile" in remarks, "a newer file", said, remarks)


def test_memory():
    """Code that is made at run time where a library was."""
    maps = ["7e0000001000-7e0000002000 rwxp 00000000 00:00 0 ", "7e0000005000-7e0000006000 r-xp 00000000 00:00 0 [vdso]",
            gone(0x7e0000001000, 0x7e0000003000, "a.so"), gone(0x7e0000005000, 0x7e0000006000, "b.so")]
    said, _ = names([0x7e0000001234, 0x7e0000002234, 0x7e0000005678], *maps)
    check(said == ["[a.so+0x234 or jit]", "[a.so+0x1234]", "[b.so+0x678 or vdso]"], "no files", said)


def test_modules():
    """In a flame graph each frame has the file that it is of."""
    names([0x12345, 0x32345, 0x52345], gone(0x10000, 0x20000, "a.so"), gone(0x10000, 0x20000, "b.so"),
          gone(0x30000, 0x40000, "c.so"))
    out = run("--flamegraph", "closed.heap")[1]
    for name, module in ("[a.so+0x2345 or b.so+0x2345]", "[several files]"), ("[c.so+0x2345]", "c.so"), \
            ("[closed library]", "[closed library]"):
        check(f'data-n="{name}" data-m="{module}"' in out, "module", name, out)


def test_lines():
    """What a line may be."""
    said, remarks = names([0x1f23], "closed 1000-2000 123456789000 0102 00:00 0 /nowhere/a library.so (deleted)")
    check(said == ["[a library.so (deleted)+0x123456789f23]"] and remarks == "", "a name with blanks", said, remarks)
    said, remarks = names([0x1f23], "closed 1000-2000 0 0102 00:00 0 /nowhere/a.so", "closed more")
    check(said == ["[a.so+0xf23]"] and remarks.count("\n") == 1 and MORE in remarks, "more", said, remarks)
    for line in ("closed", "closed ", "closed x-2000 0 - /a", "closed 1000+2000 0 - /a", "closed 1000-x 0 - /a",
                 "closed 1000-2000+0 - /a", "closed 1000-2000 x - /a", "closed 1000-2000 0+- /a",
                 "closed 1000-2000 0 -", "closed 1000-2000 0 - ", "closed 1000-2000 0 - /a", "closed 1000-2000 0 - 00:00 0",
                 "closed 1000-2000 0 - 00:00 0 ", "closed 1000-2000 0 - 0 0 /a", "closed 1000-2000 0 0102", "closed most",
                 "closed more or less"):
        said, remarks = names([0x1f23], line, "7000-8000 r-xp 00000000 00:01 9  /nowhere/b.so")
        check(said == ["0000000000001f23"] and remarks == "", "no such line", line, said, remarks)


def all_tests():
    test_overlaps()
    test_many()
    test_builds(test.compile_program("program", "-pie", "-fPIE"))
    test_memory()
    test_modules()
    test_lines()


test.run_tests(all_tests)
