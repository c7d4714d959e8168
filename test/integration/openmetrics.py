"""A strict reader of the text form of OpenMetrics 1.0, written after its specification: it
refuses what the specification does not allow. Used by tests; with a file as argument, it says
what is wrong with it."""
import math
import re
import sys

TYPES = {"counter", "gauge", "histogram", "gaugehistogram", "stateset", "info", "summary", "unknown"}
# The names of samples of a family, by its type; only of the types that we write.
SUFFIXES = {"counter": {"_total", "_created"}, "gauge": {""}, "unknown": {""}, "info": {"_info"}}
# No family may have a name that another one's samples may have.
RESERVED = {"counter": ["_total", "_created"], "info": ["_info"], "gauge": [], "unknown": []}
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^\\"\n]|\\.)*)"'
NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?[iI]nf(?:inity)?|[nN]a[nN]"


class Refused(Exception):
    """What is wrong, and in which line."""


class Family:
    def __init__(self, name):
        self.name, self.type, self.unit, self.help = name, None, None, None
        self.samples = {}       # (name, labels) -> value


def unescape(text):
    """Only these three are escapes; any other character behind a backslash stays as it is."""
    return re.sub(r'\\([n"\\])', lambda found: {"n": "\n"}.get(found[1], found[1]), text)


def read_descriptor(line, families, current):
    """A line of metadata. Returns the family that it belongs to."""
    found = re.fullmatch(rf"# (TYPE|HELP|UNIT) ({NAME}) (.*)", line)
    if not found:
        raise Refused("this is neither a sample nor a descriptor")
    what, name, value = found.groups()
    if current is None or current.name != name:
        if name in families:
            raise Refused(f"the family {name} is not in one piece")
        current = families[name] = Family(name)
    if current.samples:
        raise Refused("a descriptor stands behind samples")
    if getattr(current, what.lower()) is not None:
        raise Refused(f"a second {what}")
    if what == "TYPE" and value not in TYPES:
        raise Refused(f"there is no type {value}")
    if what == "UNIT" and not (value and name.endswith("_" + value)):
        raise Refused(f"{name} does not end in its unit {value}")
    if what == "HELP" and re.search(r'(?<!\\)(?:\\\\)*"', value):
        raise Refused("a quotation mark that is not escaped")
    setattr(current, what.lower(), unescape(value) if what == "HELP" else value)
    return current


def read_labels(text):
    """The labels between braces, in order."""
    labels, at = {}, 0
    while at < len(text):
        found = re.compile(LABEL).match(text, at)
        if not found:
            raise Refused(f"these are no labels: {text}")
        if found[1] in labels or found[1].startswith("__"):
            raise Refused(f"the label {found[1]}")
        labels[found[1]] = unescape(found[2])
        at = found.end()
        if at < len(text):
            if text[at] != "," or at + 1 == len(text):
                raise Refused(f"these are no labels: {text}")
            at += 1
    return labels


def read_sample(line, current):
    found = re.fullmatch(rf'({NAME})(?:\{{((?:[^"}}]|"(?:[^\\"]|\\.)*")*)\}})? ({NUMBER})', line)
    if not found:
        raise Refused("this is no sample")
    name, labels, value = found[1], read_labels(found[2] or ""), float(found[3])
    if current is None or not name.startswith(current.name):
        raise Refused("a sample without family")
    if name[len(current.name):] not in SUFFIXES.get(current.type or "unknown", set()):
        raise Refused(f"a {current.type} has no sample of this name")
    if current.type == "counter" and not (value >= 0 and math.isfinite(value)):
        raise Refused("a counter that is negative or no number")
    # A label without value is the same as no such label.
    key = name, tuple(sorted((k, v) for k, v in labels.items() if v))
    if key in current.samples:
        raise Refused("the same sample again")
    current.samples[key] = value


def parse(data):
    """Families by name, of the bytes of an exposition."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"no UTF-8: {error}") from error
    if not text.endswith("# EOF\n") and not text.endswith("# EOF"):
        raise Refused("it does not end in # EOF")
    families, current, number = {}, None, 0
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    try:
        for number, line in enumerate(lines[:-1], 1):
            if line.startswith("#"):
                current = read_descriptor(line, families, current)
            else:
                read_sample(line, current)
        if lines[-1] != "# EOF":
            raise Refused("the end is no line of its own")
        for name, family in families.items():
            for suffix in RESERVED.get(family.type or "unknown", []):
                if name + suffix in families:
                    raise Refused(f"{name}{suffix} may be a sample of {name}")
    except Refused as error:
        raise Refused(f"line {number}: {error}: {lines[number - 1][:200]}") from None
    return families


def complaints(families):
    """What is allowed, but against the advice for names and help, which promtool checks."""
    for name, family in families.items():
        if not family.help:
            yield f"{name} has no help"
        if family.type is None:
            yield f"{name} has no type"
        if name != name.lower():
            yield f"{name} has capital letters"
        if re.search(r"_(?:total|count|sum|bucket|created|counter|gauge)$", name):
            yield f"{name} ends as names of other types do"
        if re.search(r"_(?:s|ms|us|ns|sec|min|h|b|kb|mb|gb|tb|milliseconds|minutes|hours|kilobytes|megabytes)(?:_|$)", name):
            yield f"{name} has another unit than seconds and bytes"
        if name.endswith(("_seconds", "_bytes")) and not name.endswith("_" + (family.unit or "-")):
            yield f"{name} does not say its unit"


if __name__ == "__main__":
    try:
        with open(sys.argv[1], "rb") as file:
            found_families = parse(file.read())
    except Refused as refused:
        sys.exit(str(refused))
    sys.exit("\n".join(complaints(found_families)) or 0)
