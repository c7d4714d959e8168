#!/usr/bin/env python3
"""The column "works" of doc/OPTIONS.md: yes if the source reads the option.

An option that is accepted and does nothing must be marked, so that an operator
knows what protection a process really has.
"""
import os
import re
import sys

root = os.environ.get("srcdir", ".")
src = os.path.join(root, "src")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def rows():
    """(key, fields of struct options) as src/conf/options.c has them."""
    special = {"junk": ["junk_alloc", "junk_free"], "lg_tcache_max": ["tcache_max"]}
    table = read(os.path.join(src, "conf/options.c")).split("rows[] = {", 1)[1]
    for row in re.split(r"\n\t\{ ", table.split("\n};", 1)[0])[1:]:
        key = re.match(r'"(\w+)"', row).group(1)
        field = re.search(r"FIELD\((\w+)\)", row)
        yield key, special.get(key, [field.group(1) if field else key])


def fields_read():
    """Fields that code outside the table takes from `opt`."""
    found = {"abort_conf", "confirm_conf"}  # by conf.c, through a pointer
    for folder, _, names in os.walk(src):
        # Showing an option is not acting on it.
        shown = os.path.basename(folder) in ("ctl", "stats")
        for name in names:
            if name.endswith((".c", ".h")) and name not in ("options.c", "options.h"):
                text = re.sub(r"/\*.*?\*/|\"[^\"\n]*\"", "",
                              read(os.path.join(folder, name)), flags=re.S)
                found |= {field for field in re.findall(r"\bopt\.(\w+)", text)
                          if not shown or field.startswith("stats_")}
    return found


def effects():
    """(key, the test that shows it or None) of the rows of test/stress/option-effects."""
    for part in ("calls", "memory", "huge", "prof"):
        table = read(os.path.join(root, f"test/stress/option-effects-{part}.c"))
        table = table[table.index("const struct effect effects_"):]
        found = re.findall(r'\n\t\{ "(\w+)",(.*?)\},(?=\n)', table, re.S)
        if len(found) < 3:
            sys.exit(f"test/stress/option-effects-{part}.c: its rows have another form")
        for key, rest in found:
            shown = re.search(r'\.shown_by\s*=\s*"([^"]*)"', rest)
            yield key, shown and shown.group(1)


manual = dict(re.findall(r"^\| `(\w+)` \|[^|]*\|[^|]*\| (yes|no) \|",
                         read(os.path.join(root, "doc/OPTIONS.md")), re.M))
used = fields_read()
wrong = 0
for key, fields in rows():
    works = "yes" if used & set(fields) else "no"
    if manual.get(key) != works:
        print(f"doc/OPTIONS.md: `{key}` works: {manual.get(key)}, the source says {works}")
        wrong += 1
shown = dict(effects())
for key, works in manual.items():
    if works == "yes" and key not in shown:
        print(f"test/stress/option-effects: no row for `{key}`, which doc/OPTIONS.md says works")
        wrong += 1
for key, test in shown.items():
    if manual.get(key) != "yes":
        print(f"test/stress/option-effects: `{key}`, which doc/OPTIONS.md says does nothing")
        wrong += 1
    elif test and (not os.path.exists(os.path.join(root, test)) or key not in read(os.path.join(root, test))):
        print(f"test/stress/option-effects: {test} says nothing of `{key}`")
        wrong += 1
sys.exit(wrong > 0)
