"""Child processes that end with the process that started them, however that ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

# PR_SET_PDEATHSIG: the kernel kills us when our parent dies, be it by kill -9. A Python of its own asks for it and then
# becomes the program, since code between fork and exec is unsafe beside threads. Its second line: the parent died
# meanwhile.
_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
os.getppid() == int(sys.argv[1]) or sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""
# That "parent" is a thread, so all are started by one that lives as long as we do.
_SPAWNER = ThreadPoolExecutor(1, thread_name_prefix="safebus-spawn")


def spawn(
    command: Sequence[str], *, environment: Mapping[str, str], log: IO[bytes], folder: Path
) -> subprocess.Popen[bytes]:
    """Start a program that writes to `log` and reads nothing. Its first word is an absolute path.

    It has a session of its own, so that a terminal's Ctrl-C reaches us and not it: we end it when its clients have
    ended. On Linux the kernel ends it with us;
    elsewhere a kill -9 leaves it behind.
    """
    if sys.platform == "linux":
        command = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]
    return _SPAWNER.submit(
        subprocess.Popen,
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ).result()
