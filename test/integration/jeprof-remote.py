#!/usr/bin/env python3
"""jeprof with profiles of a server, which is one on this machine."""
import http.server
import os
import re
import shutil
import sys
import threading

sys.dont_write_bytecode = True
from jeprof import BASE, bad, check, example, good, run, run_tests, symbols, table
from lib import left_out


class Server(http.server.ThreadingHTTPServer):
    """What a program that offers profiles answers; asked has the requests."""

    def __init__(self, dump, names):
        super().__init__(("127.0.0.1", 0), Handler)
        with open(dump, "rb") as file:
            self.dump = file.read()
        self.names, self.asked, self.both = names, [], threading.Barrier(2, timeout=300)
        self.at = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.server.asked.append(self.path)
        path = self.path.split("?")[0]
        if path == "/both/pprof/heap":
            self.server.both.wait()
        if path in ("/pprof/heap", "/both/pprof/heap", "/mute/pprof/heap", "/files/x.heap"):
            self.reply(self.server.dump)
        elif path.endswith("/pprof/symbol"):
            self.reply(b"num_symbols: %d\n" % (0 if "mute" in path else 1))
        elif path == "/pprof/cmdline":
            self.reply(b"/usr/bin/served\x1b\n\0--x\0")
        elif path == "/moved/pprof/heap":
            self.reply(b"", 302, Location="/pprof/heap")
        elif path == "/cut/pprof/heap":
            self.reply(self.server.dump[:400])
        else:
            self.reply(b"no such page", 404)

    def do_POST(self):
        if self.path.startswith("/moved/"):
            self.reply(b"", 302, Location="/pprof/symbol")
            return
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        lines = [f"{pc}\t{self.server.names(int(pc, 16))}\n" for pc in body.split("+")]
        self.reply("".join(lines).encode())


def test_remote(program, base, dump):
    """From a server on this machine: with its names, with the program's, as a file."""
    os.makedirs("fetched", exist_ok=True)
    os.environ.update(JEPROF_TMPDIR=os.path.abspath("fetched"), no_proxy="*")
    if "without libcurl" in run("127.0.0.1:1/pprof/heap")[2]:
        bad("without libcurl", "127.0.0.1:1/pprof/heap")
        left_out("libcurl4-openssl-dev is not installed, so jeprof was built without libcurl")
        return
    named = symbols(program)

    def name(pc):
        for function, (start, size) in named.items():
            if start <= pc - base < start + size:
                return "_ZN6served" + f"{len(function)}{function}Ei"
        return hex(pc)
    server = Server(dump, name)
    at = server.at
    want = table(good("--show_bytes", program, dump))
    served = {"served::" + function: value for function, value in want.items()}
    for url in [at + "/pprof/heap", f"http://{at}/pprof/heap", at + "/moved/pprof/heap"]:
        status, out, error = run("--show_bytes", url)
        check(status == 0 and table(out) == served, url, out, error)
    kept = re.search(r"is kept in (\S+),", error)[1]
    check(os.path.dirname(kept) == os.environ["JEPROF_TMPDIR"] and
          kept.endswith(".127.0.0.1.pprof.heap"), "where it is kept", error)
    server.shutdown()
    check(table(good("--show_bytes", kept)) == served, "used again without the server")
    server = Server(dump, name)
    at = server.at
    for url in [at + "/pprof/heap", at + "/files/x.heap"]:
        check(table(good("--show_bytes", program, url)) == want, "with a program", url)
    check(any(name.startswith("served__.") for name in os.listdir("fetched")), "name of the program",
          os.listdir("fetched"))
    rows = table(good("--show_bytes", program, at + "/both/pprof/heap", at + "/both/pprof/heap"))
    check(rows["start_up"] == (4000, 4000), "two at the same time", rows)
    rows = table(good("--show_bytes", "--base=" + at + "/pprof/heap", program, dump))
    check(rows == {}, "a base from there", rows)
    good("--seconds=3", program, at + "/pprof/heap")
    check("/pprof/heap?seconds=3" in server.asked, "--seconds", server.asked)
    rows = table(good("--show_bytes", program, f"localhost@2:{server.server_port}/pprof/heap"))
    check(rows["start_up"] == (4000, 4000), "host@n", rows)
    bad("404", at + "/nothing/pprof/heap")
    bad("knows no names", at + "/mute/pprof/heap")
    bad("which profile?", at)
    bad("kind profile", at + "/pprof/profile")
    bad("kind contention", "http://" + at + "/pprof/contention?seconds=3")
    bad("hosts", f"localhost@0:{server.server_port}/pprof/heap")
    bad("no host", "http:///pprof/heap")
    status, out, error = run(program, at + "/cut/pprof/heap")
    check(status == 1 and out == "" and "truncated" in error, "cut off", error)
    os.environ["JEPROF_TMPDIR"] = os.path.abspath("program.c")
    bad("program.c", at + "/pprof/heap")
    server.shutdown()
    server.server_close()
    bad("onnect", at + "/pprof/heap")


def test_hosts(program, dump):
    """name@2/path is two files, if they are there."""
    for number in range(2):
        os.makedirs(f"{number}.farm", exist_ok=True)
        shutil.copy(dump, f"{number}.farm/x")
    check(table(good("--show_bytes", program, "farm@2/x"))["start_up"] == (4000, 4000), "farm@2/x")


def all_tests():
    program, dump = example()
    test_remote(program, BASE, dump)
    test_hosts(program, dump)


run_tests(all_tests)
