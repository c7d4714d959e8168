"""Small changes of C sources, each a mistake that somebody could make.

The line count of a file stays, so that only what was meant differs in its
object. Nothing is changed outside functions, in comments and strings, or in
what an assertion says. Reads the sources as they are formatted here: binary
operators stand between blanks, a function's braces in the first column.
"""
import random
import re
from dataclasses import dataclass

# Each operator by its share in a random choice.
OPERATORS = {
    "negate": 3,    # the condition of an if
    "boundary": 3,  # < for <=, and so on
    "equality": 2,  # == for !=
    "logical": 2,   # && for ||
    "not": 1,       # a ! less
    "arithmetic": 2,  # + for -, << for >>, & for |, ++ for --
    "constant": 3,  # a number one larger or smaller, true for false
    "swap": 1,      # a named constant for its neighbour
    "drop": 5,      # a statement less
    "barrier": 1,   # a memory barrier less
    "pair": 1,      # a lock neither taken nor released
    "return": 2,    # 0 is returned instead of a result
    "early": 1,     # a function does nothing
}
BINARY = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "<<": ">>", ">>": "<<",
          "&": "|", "|": "&", "+=": "-=", "-=": "+=", "|=": "&=", "&=": "|="}
SWAPPED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
           "&&": "||", "||": "&&", "true": "false", "false": "true"}
SKIPPED = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|"
                     r"^[ \t]*#(?:\\\n|[^\n])*", re.S | re.M)
ASSERTION = re.compile(r"\b(?:assert|static_assert|_Static_assert|LOCK_ASSERT_\w+)\(")
PLACE = r"\*?\(?[A-Za-z_]\w*(?:(?:->|\.)\w+|\[[^\];]*\]|\))*"
STATEMENT = re.compile(
    r"^\t+(?:(?P<call>[a-z_]\w*(?:(?:->|\.)\w+)*)\(|(?P<set>" + PLACE +
    r"\s(?:=|[-+*/|&^]=|<<=|>>=)\s)|(?P<step>" + PLACE + r"(?:\+\+|--));|"
    r"(?P<jump>return|break|continue);)", re.M)
KEYWORDS = {"if", "while", "for", "switch", "return", "sizeof", "do", "else", "case"}


@dataclass(frozen=True)
class Mutant:
    """One change: `edits` are (begin, end, new text) in the file."""
    path: str
    operator: str
    line: int
    edits: tuple
    number: int = 0

    def apply(self, text):
        for begin, end, new in sorted(self.edits, reverse=True):
            text = text[:begin] + new + text[end:]
        return text

    def changed(self, text):
        """The lines of `text` that differ: [(line, old, new)]."""
        pairs = zip(text.split("\n"), self.apply(text).split("\n"))
        return [(i, a, b) for i, (a, b) in enumerate(pairs, 1) if a != b]


def blanks(text):
    return re.sub(r"[^\n]", " ", text)


def closing(text, begin):
    """Where the bracket closes that opens at `begin`; -1: nowhere."""
    depth = 0
    for i in range(begin, len(text)):
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
            if depth == 0:
                return i
    return -1


def visible(text):
    """The text with blanks for what is not to be changed."""
    code = SKIPPED.sub(lambda m: blanks(m.group()), text)
    for match in ASSERTION.finditer(code):
        end = closing(code, match.end() - 1)
        code = code[:match.start()] + blanks(code[match.start():end + 1]) + code[end + 1:]
    return code


class Finder:
    def __init__(self, path, text):
        self.path, self.text, self.code = path, text, visible(text)
        self.found = []
        names = sorted(set(re.findall(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b(?!\()", self.code)))
        self.names = {}
        for name in names:
            self.names.setdefault(name.split("_")[0], []).append(name)

    def add(self, operator, *edits):
        edits = tuple((b, e, new + "\n" * (self.text[b:e].count("\n") - new.count("\n")))
                      for b, e, new in edits)
        line = self.text.count("\n", 0, edits[0][0]) + 1
        self.found.append(Mutant(self.path, operator, line, edits))

    def functions(self):
        for match in re.finditer(r"^\{$(.*?)^\}$", self.code, re.S | re.M):
            head = self.code[:match.start()].rstrip()
            head = head[max(head.rfind("\n\n"), head.rfind("}\n"), 0):]
            yield match.start(1), match.end(1), re.search(r"\bvoid\s+\w+\(", head)

    def all(self):
        for begin, end, is_void in self.functions():
            self.add("early", (begin, begin, " return;" if is_void else " return 0;"))
            self.conditions(begin, end)
            self.tokens(begin, end)
            self.constants(begin, end)
            self.statements(begin, end)
            self.pairs(begin, end)
        return self.found

    def each(self, pattern, begin, end):
        return re.compile(pattern, re.M).finditer(self.code, begin, end)

    def conditions(self, begin, end):
        for match in self.each(r"\bif \(", begin, end):
            last = closing(self.code, match.end() - 1)
            self.add("negate", (match.end(), match.end(), "!("), (last, last, ")"))
        for match in self.each(r"!(?=[\w(])", begin, end):
            self.add("not", (match.start(), match.end(), ""))
        for match in self.each(r"\breturn\b ?([^;]*);", begin, end):
            if not re.fullmatch(r"\s*|0|NULL|true|false|\(?\w+\)?\{.*", match[1]):
                self.add("return", (match.start(1), match.end(1), "0"))

    def tokens(self, begin, end):
        for match in self.each(r"(?<=[ \t])([-+*/%<>=!&|]{1,2})(?=[ \n])", begin, end):
            sign = match[1]
            # `*` between blanks multiplies, unless a type stands before it.
            if sign in SWAPPED:
                operator = ("logical" if sign in ("&&", "||") else
                            "equality" if sign in ("==", "!=") else "boundary")
                self.add(operator, (match.start(), match.end(), SWAPPED[sign]))
            elif sign in BINARY:
                self.add("arithmetic", (match.start(), match.end(), BINARY[sign]))
        for match in self.each(r"\+\+|--", begin, end):
            line = self.code[self.code.rfind("\n", 0, match.start()) + 1:match.start()]
            if not re.match(r"\s*for \(", line): # which would not end
                self.add("arithmetic", (match.start(), match.end(),
                                        "--" if match[0] == "++" else "++"))

    def constants(self, begin, end):
        for match in self.each(r"(?<![\w.])(\d+)(?=[uUlL]*\b)(?![xX.])", begin, end):
            number = int(match[1])
            for other in {0: [1], 1: [0, 2]}.get(number, [number - 1, number + 1]):
                self.add("constant", (match.start(), match.end(), str(other)))
        for match in self.each(r"\b(?:true|false)\b", begin, end):
            self.add("constant", (match.start(), match.end(), SWAPPED[match[0]]))
        for match in self.each(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b(?!\()", begin, end):
            kin = self.names[match[0].split("_")[0]]
            other = kin[(kin.index(match[0]) + 1) % len(kin)]
            if other != match[0]:
                self.add("swap", (match.start(), match.end(), other))

    def statements(self, begin, end):
        for match in STATEMENT.finditer(self.code, begin, end):
            before = self.code[begin:match.start()].rstrip()
            if before and before[-1] not in ";{}):" and not before.endswith(("else", "do")):
                continue # in the middle of a statement
            if (match["call"] or "") in KEYWORDS:
                continue
            first = match.start() + len(match[0]) - len(match[0].lstrip("\t"))
            last = first
            while self.code[last] != ";":
                last = closing(self.code, last) + 1 if self.code[last] in "([{" else last + 1
                if last <= 0 or last >= end:
                    break
            else:
                called = match["call"] or ""
                fence = re.search(r"fence|barrier", called)
                if not called.startswith("lock_"):
                    self.add("barrier" if fence else "drop", (first, last, ""))

    def pairs(self, begin, end):
        for match in self.each(r"\block_acquire\(([^;]*)\);", begin, end):
            lock = re.escape(match[1])
            both = list(self.each(r"\block_(?:acquire|release)\(" + lock + r"\);", begin, end))
            # Once for each lock; not where another function does one half.
            if both[0].start() == match.start() and len(both) > 1:
                self.add("pair", *((m.start(), m.end() - 1, "") for m in both))


def mutants_of(path, text):
    return sorted(Finder(path, text).all(), key=lambda m: (m.edits, m.operator))


def choose(pool, seed):
    """All of them in an order that the seed alone decides, numbered from 1."""
    chance = random.Random(seed)
    kinds = {name: [m for m in pool if m.operator == name] for name in OPERATORS}
    for kind in kinds.values():
        chance.shuffle(kind)
    number = 0
    while any(kinds.values()):
        names = [name for name in OPERATORS if kinds[name]]
        name = chance.choices(names, [OPERATORS[n] for n in names])[0]
        number += 1
        chosen = kinds[name].pop()
        yield Mutant(chosen.path, chosen.operator, chosen.line, chosen.edits, number)
