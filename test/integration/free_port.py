#!/usr/bin/env python3
"""A port of the loopback interface that nobody uses now, for TCP and UDP. It is none of those
that the kernel gives to whoever asks for any, and another process has another one: so nobody
takes it before the server does."""
import os
import socket

FIRST, COUNT = 10000, 20000


def is_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as own:
            try:
                own.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_port():
    # The next ones belong to the next processes: so this goes in long steps.
    for step in range(COUNT):
        port = FIRST + (os.getpid() + 7919 * step) % COUNT
        if is_free(port):
            return port
    raise OSError("no port is free")


if __name__ == "__main__":
    print(free_port())
