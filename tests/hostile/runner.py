"""Runs `acuse verify` as a child of its own per line of stdin (a JSON list of arguments), with at
most 256 MiB of address space, 10 s of processor and no network; answers a JSON object a line.

Forked from one process that has imported everything, so that the files are what is measured.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from typing import IO

from gateway.cli.main import main
from gateway.evidence import cades, examine
from gateway.ledger import audit, notecheck, verify

#: Imported here, before the bounds; the command imports them when it needs them.
IMPORTED = (audit, cades, examine, notecheck, verify)
MEMORY_BYTES = 256 << 20
PROCESSOR_S = 10
_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")


def _no_network(event: str, _args: object) -> None:
    if event in _NETWORK:
        os.write(2, b"the network was asked\n")
        os._exit(99)


def _child(arguments: list[str], out: IO[bytes], err: IO[bytes]) -> None:
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_S, PROCESSOR_S))
    sys.addaudithook(_no_network)
    code = main(arguments)
    sys.stdout.flush()
    os._exit(code)


def _run(arguments: list[str]) -> dict[str, object]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            try:
                _child(arguments, out, err)
            finally:
                os._exit(98)
        _, status = os.waitpid(pid, 0)
        out.seek(0)
        err.seek(0)
        size = out.seek(0, os.SEEK_END)
        out.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "out": out.read(100_000).decode("utf-8", "replace"),
            "out_bytes": size,
            "err": err.read(100_000).decode("utf-8", "replace"),
        }


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), flush=True)
