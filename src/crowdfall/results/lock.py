"""One writer a run: a lock that dies with its process.

A local run is locked by the operating system, which lets go when the process ends, however it
ends. Behind a URL there is no such lock: a file names the writer and when it last wrote, and
counts as abandoned after ``ABANDONED`` seconds.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from crowdfall.errors import RunError
from crowdfall.results.place import Place, UrlPath

NAME: Final = ".lock"
ABANDONED: Final = 900.0
"""Seconds after which a writer behind a URL counts as gone (assumption: a block takes less)."""


@contextmanager
def locked(run: Place) -> Iterator[Callable[[], None]]:
    """Hold the run; yields a function to call after each block. RunError: another writes it."""
    if isinstance(run, UrlPath):
        with _signed(run) as renew:
            yield renew
        return
    with (run / NAME).open("a+", encoding="utf-8") as file:
        if not _take(file):
            file.seek(0)
            raise RunError("run_locked", path=run, owner=file.read().strip() or "?")
        file.truncate(0)
        file.write(f"{socket.gethostname()}:{os.getpid()}")
        file.flush()
        try:
            yield lambda: None
        finally:
            (run / NAME).unlink(missing_ok=True)


def _take(file: IO[str]) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        return _take_on_windows(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    # The last owner may have removed the file between our opening and locking it.
    try:
        return os.fstat(file.fileno()).st_ino == Path(file.name).stat().st_ino
    except FileNotFoundError:
        return False


def _take_on_windows(file: IO[str]) -> bool:
    msvcrt: Any = __import__("msvcrt")
    file.seek(1 << 20)  # past the name of the owner, which others read
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True


@contextmanager
def _signed(run: UrlPath) -> Iterator[Callable[[], None]]:
    file = run / NAME
    me = f"{socket.gethostname()}:{os.getpid()}"
    if file.is_file():
        words = json.loads(file.read_text())
        if words["owner"] != me and time.time() - words["time"] < ABANDONED:
            raise RunError("run_locked", path=run, owner=words["owner"])

    def renew() -> None:
        file.write_text(json.dumps({"owner": me, "time": time.time()}))

    renew()
    try:
        yield renew
    finally:
        file.unlink(missing_ok=True)
