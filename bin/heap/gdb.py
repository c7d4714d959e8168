"""The command `heap` of gdb: what is in the heap of the program that gdb looks at.

It runs `jeheap` on the core file or the stopped process, and shows its output. Only jeheap knows
the heap. `make install` puts this file beside the library and below gdb's folder auto-load,
where gdb loads it by itself; elsewhere use: source gdb.py. It needs gdb 9.

No function of the program is called, and nothing in it is changed. If jeheap may not read a
process (on another machine, or if only its parent may read it), gdb writes a core file first.
"""
import json
import os
import selectors
import shutil
import subprocess
import tempfile
import time

import gdb

# After this many seconds without output, a line says that the command is still running.
PATIENCE = 3
# The folder is noted now, because gdb forgets it after it has read the script.
FOLDER = os.path.dirname(os.path.realpath(__file__))
# gdb's names for the thread pointer. The stack pointer is `sp` on all machines.
THREAD_POINTERS = ("fs_base", "tpidr", "tp", "r13")


class Program(gdb.Parameter):
    """The program `jeheap` that the command `heap` runs.
If it is not set, the one that was installed with this script, or the first in PATH."""

    set_doc = show_doc = "The program `jeheap` that the command `heap` runs."

    def __init__(self):
        super().__init__("heap-program", gdb.COMMAND_FILES, gdb.PARAM_OPTIONAL_FILENAME)

    def get_set_string(self):
        return ""

    def get_show_string(self, value):
        return value or find_program() or "There is no `jeheap` in PATH."


def find_program():
    """The program that the user has set, the one installed with this script, or the one in PATH.
    A program beside the files of a core file is not used, because these files are not trusted."""
    chosen = gdb.parameter("heap-program")
    if chosen:
        return os.path.expanduser(chosen)
    # Below auto-load/, the path of the library's folder is repeated.
    folder = "/" + FOLDER.rpartition("/auto-load/")[2].lstrip("/")
    while folder != "/":
        path = os.path.join(folder, "bin", "jeheap")
        if os.access(path, os.X_OK):
            return path
        folder = os.path.dirname(folder)
    return shutil.which("jeheap")


# ---- the target ----


def core_name():
    """The core file that gdb has open, or None."""
    for line in gdb.execute("info files", False, True).splitlines():
        # Only programs and core files have a line "`/path/core', file type elf64-x86-64."
        name, found, _ = line.strip().rpartition("', ")
        if not found or not name.startswith("`"):
            continue
        try:
            with open(name[1:], "rb") as file:
                head = file.read(18)
        except OSError:
            continue
        if head[:4] == b"\x7fELF" and head[16:18] in (b"\4\0", b"\0\4"):
            return name[1:]
    return None


class Snapshot:
    """A core file that gdb writes of a process. It is valid until the process continues."""

    def __init__(self):
        self.folder = None
        for events in ("cont", "exited", "inferior_call", "memory_changed", "register_changed"):
            getattr(gdb.events, events).connect(self.forget)

    def forget(self, _event=None):
        known.clear()
        if self.folder is not None:
            self.folder.cleanup()
            self.folder = None

    def name(self, why):
        path = os.path.join(self.folder.name, "core") if self.folder else ""
        if not os.path.exists(path):
            note(f"heap: {why}; gdb writes a core file of it")
            if self.folder is None:
                self.folder = tempfile.TemporaryDirectory(prefix="heap-")
            path = os.path.join(self.folder.name, "core")
            try:
                gdb.execute(f"generate-core-file {path}", False, True)
            except BaseException:
                self.forget()
                raise
        return path


# Answers about addresses and classes; valid until the program continues.
known = {}
snapshot = None


def is_remote(inferior):
    connection = getattr(inferior, "connection", None)
    if connection is not None:
        return connection.type not in ("native", "core")
    # gdb before 12.
    return "remote" in gdb.execute("info target", False, True).split("\n", 1)[0].lower()


def may_read(pid):
    """Whether another program than gdb may read it."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as file, open(f"/proc/{pid}/mem", "rb"):
            file.read(1)
        with open("/proc/sys/kernel/yama/ptrace_scope", encoding="ascii") as file:
            return os.geteuid() == 0 or file.read().strip() == "0"
    except FileNotFoundError:
        return os.path.exists(f"/proc/{pid}")
    except OSError:
        return False


def thread_lines():
    """For jeheap: each thread, its stack pointer, thread pointer and place in the code."""
    lines = []
    before = gdb.selected_thread()
    frame = gdb.selected_frame() if before is not None else None
    try:
        for thread in gdb.selected_inferior().threads():
            if not thread.is_valid() or not thread.is_stopped():
                continue
            thread.switch()
            newest = gdb.newest_frame()
            pointer = 0
            for name in THREAD_POINTERS:
                try:
                    pointer = int(newest.read_register(name))
                    break
                except ValueError:
                    continue
            number = thread.ptid[1] or thread.ptid[0]
            stack = int(newest.read_register("sp"))
            lines.append(f"{number} {stack & (1 << 64) - 1:x} {pointer & (1 << 64) - 1:x} {newest.pc():x}\n")
    finally:
        if before is not None and before.is_valid():
            before.switch()
            if frame is not None and frame.is_valid():
                frame.select()
    return "".join(lines)


def target_words():
    """The arguments that name the target for jeheap; and the threads, or None."""
    words = []
    inferior = gdb.selected_inferior()
    space = inferior.progspace if hasattr(inferior, "progspace") else gdb.current_progspace()
    if space.filename and os.path.isfile(space.filename):
        words += ["--exe", space.filename]
    root = gdb.parameter("sysroot")
    if root and not root.startswith("target:") and os.path.isdir(root):
        words += ["--sysroot", root]
    core = core_name()
    if inferior.pid == 0 and core is None:
        raise gdb.GdbError("There is no process and no core file to look at.")
    if core is not None and not inferior.threads():
        raise gdb.GdbError(f"{core}: gdb sees no thread in it.")
    connection = getattr(inferior, "connection", None)
    is_core = core is not None and (connection is None or connection.type == "core")
    if is_core:
        return words + ["--core", core], None
    if is_remote(inferior):
        return words + ["--core", snapshot.name("the process is on another machine")], None
    if not may_read(inferior.pid):
        return words + ["--core", snapshot.name("jeheap may not read the process")], None
    return words + ["--pid", str(inferior.pid), "--no-stop"], thread_lines()


# ---- running jeheap ----


def note(text):
    gdb.write(text + "\n", gdb.STDERR)
    gdb.flush(gdb.STDERR)


class Run:
    """One run of jeheap, as a context manager: leaving the context ends it."""

    def __init__(self, words):
        program = find_program()
        if program is None:
            raise gdb.GdbError("There is no program `jeheap` in PATH; see: set heap-program FILE")
        target, threads = target_words()
        self.file = None
        if threads is not None:
            self.file = tempfile.NamedTemporaryFile("w", prefix="heap-")
            self.file.write(threads)
            self.file.flush()
            target += ["--threads", self.file.name]
        # jeheap does not get gdb's LD_PRELOAD. It has its own session, so Ctrl-C reaches only gdb.
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        try:
            self.process = subprocess.Popen(
                [program, *target, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, start_new_session=True, env=environment)
        except OSError as error:
            raise gdb.GdbError(f"{program}: {error.strerror}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
        if self.file is not None:
            self.file.close()

    def lines(self):
        """Yields pairs of a stream and a line from it; (None, None) while there is no output."""
        rests = {}
        with selectors.DefaultSelector() as selector:
            for stream, to in ((self.process.stdout, gdb.STDOUT), (self.process.stderr, gdb.STDERR)):
                selector.register(stream, selectors.EVENT_READ, to)
                rests[to] = b""
            while selector.get_map():
                # A short wait, so that Ctrl-C is noticed at once.
                ready = selector.select(0.1)
                if not ready:
                    yield None, None
                for key, _ in ready:
                    part = os.read(key.fd, 65536)
                    if not part:
                        selector.unregister(key.fileobj)
                    *whole, rests[key.data] = (rests[key.data] + part).split(b"\n")
                    for line in whole:
                        yield key.data, line.decode(errors="replace")
        for to, rest in rests.items():
            if rest:
                yield to, rest.decode(errors="replace")
        self.process.wait()


def show(words):
    """Shows the output line by line, so that gdb's pager and log get it."""
    begin = heard = time.monotonic()
    shown = 0
    with Run(words) as run:
        try:
            for to, line in run.lines():
                now = time.monotonic()
                if line is not None:
                    heard = now
                    shown += to == gdb.STDOUT
                    gdb.write(line.replace("jeheap: ", "heap: ", 1) if to == gdb.STDERR else line, to)
                    gdb.write("\n", to)
                elif now - heard > PATIENCE:
                    heard = now
                    note(f"heap: {now - begin:.0f} s, still reading; Ctrl-C ends it")
        except KeyboardInterrupt:
            run.process.kill()
            raise gdb.GdbError(f"Interrupted: {shown} lines are shown, the rest is missing.") from None
        status = run.process.returncode
    gdb.set_convenience_variable("_heap_status", status)
    if status not in (0, 2):
        # jeheap has printed the reason.
        raise gdb.GdbError(f"heap {words[0]}: nothing to show.")


def ask(*words):
    """The output as JSON, for all instances. It is remembered until the program continues."""
    if words not in known:
        with Run((*words, "--json", "--quiet")) as run:
            lines = list(run.lines())
            text = "".join(line for to, line in lines if to == gdb.STDOUT)
            if run.process.returncode not in (0, 2):
                raise gdb.GdbError("\n".join(line for to, line in lines if to == gdb.STDERR))
        known[words] = json.loads(text)["instances"]
    return known[words]


# ---- commands ----

SIZES = """SIZE chooses size classes: 64 (the one that serves 64 bytes), 1k-64k, small, large; several with
commas. Without it: all."""

COMMANDS = {
    "stats": ("[SIZE]", "live objects by size, and what the memory is used for", """--sort=size, count or total
orders the sizes; -v shows slabs and arenas."""),
    "dump": ("[SIZE]", "write the contents of live objects to files", """DIR/heap.SIZE.bin has them, DIR/heap.SIZE.idx
their addresses. --dir=DIR (.), --max-bytes=N of each class, --one-file, --force overwrites."""),
    "analyze": ("[SIZE]", "guess what live objects are, by their contents", """--words=N looks at N words of each
object, --samples=N shows N addresses of each kind."""),
    "examine": ("[/N] [SIZE]", "the first words of live objects, and what they point to", """/N or --words=N: N words
of each object."""),
    "regions": ("[SIZE]", "one line for each live object", "--free: also cached and free ones."),
    "caches": ("[SIZE]", "freed objects in thread caches and other caches", "--thread=TID: those of one thread."),
    "arenas": ("", "the arenas, and their pages by state", ""),
    "find": ("ADDRESS", "what is at this address", "ADDRESS may be any expression, such as p->next."),
    "who": ("ADDRESS", "what is at this address, and what points to it", "ADDRESS may be any expression."),
    "check": ("", "inconsistencies: traces of damage", ""),
    "diff": ("CORE", "what has changed since this core file, by size", ""),
    "fragmentation": ("", "a map of the memory, as a picture (SVG)", "Use gdb's pipe or `set logging` to keep it."),
}
GLOBAL = """--arena=I, --instance=K: only these. --limit=N: at most N lines. --json, -q, -v: for programs, no notes,
more. See also the manual page jeheap(1)."""
OF_ADDRESS = ("find", "who")
# Their values may be words of their own.
WITH_VALUE = ("--arena", "--instance", "--limit", "-n", "--sort", "--thread", "--dir", "-d", "--max-bytes", "--words",
              "-w", "--samples", "--exe", "-e", "--sysroot")


def address_of(text):
    """The number of an address or expression."""
    try:
        return f"{int(text, 0):#x}"
    except ValueError:
        pass
    return address_of_value(lambda: gdb.parse_and_eval(text))


def address_of_value(evaluate):
    """The number that an expression yields. For a text or a call, gdb would call a function of the program."""
    may_call = gdb.parameter("may-call-functions")
    gdb.execute("set may-call-functions off")
    try:
        value = evaluate()
        if value.type.strip_typedefs().code in (gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_FUNC) and value.address is not None:
            value = value.address
    except gdb.error as error:
        raise gdb.GdbError(str(error)) from None
    finally:
        gdb.execute(f"set may-call-functions {'on' if may_call else 'off'}")
    if value.type.strip_typedefs().code not in (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_INT, gdb.TYPE_CODE_REF,
                                                gdb.TYPE_CODE_ENUM, gdb.TYPE_CODE_CHAR, gdb.TYPE_CODE_BOOL):
        raise gdb.GdbError(f"This is no address: a value of type {value.type}.")
    word = 1 << 64
    return f"{int(value.cast(gdb.lookup_type('long'))) % word:#x}"


def words_of(name, argument):
    """The words after the command, as arguments for jeheap."""
    options, operands = [], []
    words = iter(gdb.string_to_argv(argument))
    for word in words:
        if not word.startswith("-") or len(word) == 1:
            operands.append(word)
            continue
        options.append(word)
        if word in WITH_VALUE:
            options += [value for value in [next(words, None)] if value is not None]
    if name in OF_ADDRESS and operands:
        operands = [address_of(" ".join(operands))]
    elif name == "examine" and operands and operands[0].startswith("/"):
        options.append("--words=" + operands.pop(0)[1:])
    elif name == "diff":
        operands = [os.path.expanduser(word) for word in operands]
    return [name, *options, *operands]


def sizes_like(word):
    """Size classes of live objects that begin with this text."""
    try:
        classes = [str(row["size"]) for part in ask("stats") for row in part["classes"]]
    except (gdb.error, gdb.GdbError):
        classes = []
    return [size for size in classes + ["small", "large"] if size.startswith(word)]


class Subcommand(gdb.Command):
    def __init__(self, prefix, name):
        operand, short, more = COMMANDS[name]
        self.name = name
        self.__doc__ = "\n".join(part for part in (
            f"{short[0].upper()}{short[1:]}.", f"Usage: {prefix} {name} {operand} [OPTION]...", more,
            SIZES if "SIZE" in operand else "", GLOBAL) if part)
        super().__init__(f"{prefix} {name}", gdb.COMMAND_DATA)

    def invoke(self, argument, _from_tty):
        self.dont_repeat()
        show(words_of(self.name, argument))

    def complete(self, _text, word):
        if self.name in OF_ADDRESS:
            return gdb.COMPLETE_EXPRESSION
        if self.name == "diff":
            return gdb.COMPLETE_FILENAME
        # With None, gdb only asks where words end, and does not use the answer.
        if word is None:
            return gdb.COMPLETE_NONE
        return sizes_like(word) if "SIZE" in COMMANDS[self.name][0] else gdb.COMPLETE_NONE


class Heap(gdb.Command):
    def __init__(self, name):
        self.__doc__ = "\n".join((
            "What is in the heap of the program. Without arguments: live objects by size.",
            f"Usage: {name} [COMMAND] [SIZE | ADDRESS] [OPTION]...", SIZES, GLOBAL))
        super().__init__(name, gdb.COMMAND_DATA, gdb.COMPLETE_COMMAND, True)
        for subcommand in COMMANDS:
            Subcommand(name, subcommand)

    def invoke(self, argument, _from_tty):
        self.dont_repeat()
        # heap examine/4: gdb takes only the letters as the name of the command.
        name, slash, rest = argument.partition("/")
        if slash and name.strip() in COMMANDS:
            show(words_of(name.strip(), "/" + rest))
            return
        words = gdb.string_to_argv(argument)
        if words and words[0][0].isalpha() and words[0] not in ("small", "large"):
            raise gdb.GdbError(f"heap: there is no command {words[0]}; help heap lists them.")
        show(words_of("stats", argument))


class Live(gdb.Function):
    """$_heap... of one address: see $heap_live and $heap_size."""

    def __init__(self, name, doc, answer):
        self.__doc__ = doc
        self.answer = answer
        super().__init__(name)

    def invoke(self, *arguments):
        if len(arguments) != 1:
            raise gdb.GdbError("One address is needed.")
        for part in ask("find", address_of_value(lambda: arguments[0])):
            if part.get("state") == "live":
                return self.answer(part)
        return 0


def register():
    global snapshot
    # If the program has two such libraries, gdb reads this script twice.
    if getattr(gdb, "jeheap_loaded", False):
        return
    name = "heap"
    if any(line == name for line in gdb.execute(f"complete {name}", False, True).splitlines()):
        name = "jeheap"
        note("heap: another extension has this command; this one is called jeheap here.")
    snapshot = Snapshot()
    Program()
    Heap(name)
    Live("heap_live", "$heap_live(ADDRESS): 1 if the address is in a live object, otherwise 0.", lambda part: 1)
    Live("heap_size", "$heap_size(ADDRESS): the size of the live object at the address, or 0.",
         lambda part: part["size"])
    gdb.jeheap_loaded = True


register()
