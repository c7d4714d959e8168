#!/usr/bin/env python3
"""The column "works" of doc/OPTIONS.md: yes if the source reads the option, and
if a test shows what it does.

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
        key = re.match(r'(?:KEY\(|")(\w+)', row).group(1)
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
    """(key, test that shows it or None) of test/stress/option-effects*.c."""
    folder = os.path.join(root, "test/stress")
    for name in sorted(os.listdir(folder)):
        if re.fullmatch(r"option-effects\S*\.c", name):
            for key, row in re.findall(r'^\t\{ "(\w+)",(.*?) \},$',
                                       read(os.path.join(folder, name)), re.M | re.S):
                shown_by = re.search(r'\.shown_by = "([^"]*)"', row)
                yield key, shown_by and shown_by.group(1)


def sets(path, key):
    """Does that test set the key, to a value?"""
    text = re.sub(r"^\s*(#|/?\*).*$", "", read(os.path.join(root, path)), flags=re.M)
    return re.search(r"(?<![\w.])" + key + r":[\w-]", text) is not None


manual = dict(re.findall(r"^\| `(\w+)` \|[^|]*\|[^|]*\| (yes|no) \|",
                         read(os.path.join(root, "doc/OPTIONS.md")), re.M))
used = fields_read()
wrong = 0
for key, fields in rows():
    works = "yes" if used & set(fields) else "no"
    if manual.get(key) != works:
        print(f"doc/OPTIONS.md: `{key}` works: {manual.get(key)}, the source says {works}")
        wrong += 1
shown = set()
for key, test in effects():
    shown.add(key)
    if manual.get(key) != "yes":
        print(f"option-effects: a row for `{key}`, which works: {manual.get(key)}")
        wrong += 1
    if test is not None and not sets(test, key):
        print(f"option-effects: {test} is to show `{key}` and does not set it")
        wrong += 1
for key, works in manual.items():
    if works == "yes" and key not in shown:
        print(f"option-effects: no row shows what `{key}` does")
        wrong += 1
sys.exit(wrong > 0)
