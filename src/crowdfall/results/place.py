"""Where a run stands: a local folder, or a folder behind an fsspec URL such as ``s3://``.

``UrlPath`` has the few methods of ``pathlib.Path`` that the store uses, so that the store is
written once. A file appears whole: it is written under a temporary name and then renamed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from crowdfall.errors import RunError


class UrlPath:
    """A file or folder of an fsspec file system."""

    def __init__(self, system: Any, path: str, scheme: str) -> None:  # noqa: ANN401 - untyped
        self._system = system
        self._path = PurePosixPath(path)
        self._scheme = scheme

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self._path.name

    @property
    def parent(self) -> UrlPath:
        """Return the folder above."""
        return self._other(self._path.parent)

    def __truediv__(self, name: str) -> UrlPath:
        return self._other(self._path / name)

    def __str__(self) -> str:
        return f"{self._scheme}://{str(self._path).lstrip('/')}"

    def __repr__(self) -> str:
        return f"UrlPath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UrlPath) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def with_name(self, name: str) -> UrlPath:
        """Return the neighbour of that name."""
        return self._other(self._path.with_name(name))

    def exists(self) -> bool:
        """Return whether a file or folder stands here."""
        return bool(self._system.exists(str(self._path)))

    def is_file(self) -> bool:
        """Return whether a file stands here."""
        return bool(self._system.isfile(str(self._path)))

    def is_dir(self) -> bool:
        """Return whether a folder stands here."""
        return bool(self._system.isdir(str(self._path)))

    def is_symlink(self) -> bool:
        """Return False: URLs have no links."""
        return False

    def iterdir(self) -> Iterator[UrlPath]:
        """Yield what stands in the folder."""
        self._system.invalidate_cache()
        for found in self._system.ls(str(self._path), detail=False):
            yield self._other(PurePosixPath(found))

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Make the folder; object stores have none and do nothing."""
        self._system.makedirs(str(self._path), exist_ok=exist_ok)

    def read_bytes(self) -> bytes:
        """Return the bytes of a file; FileNotFoundError where there is none."""
        return bytes(self._system.cat_file(str(self._path)))

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return the text of a file."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, data: bytes) -> int:
        """Write a file."""
        self._system.pipe_file(str(self._path), data)
        return len(data)

    def write_text(self, text: str, encoding: str = "utf-8") -> int:
        """Write a text file."""
        return self.write_bytes(text.encode(encoding))

    def replace(self, target: UrlPath) -> UrlPath:
        """Give a file another name, over an older one."""
        if target.is_file():
            self._system.rm_file(str(target._path))
        self._system.mv(str(self._path), str(target._path))
        return target

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Remove a file."""
        if not missing_ok or self.exists():
            self._system.rm_file(str(self._path))

    def remove_all(self) -> None:
        """Remove a folder and what stands in it."""
        if self.exists():
            self._system.rm(str(self._path), recursive=True)

    def _other(self, path: PurePosixPath) -> UrlPath:
        return UrlPath(self._system, str(path), self._scheme)


Place = Path | UrlPath


def place(where: str | Place) -> Place:
    """Return a local path for a path or a ``file://`` URL, a ``UrlPath`` for any other URL.

    RunError: fsspec is not installed, or it does not know the scheme.
    """
    if not isinstance(where, str):
        return where
    scheme, sign, _ = where.partition("://")
    if not sign:
        return Path(where)
    if scheme in ("file", "local"):
        return Path(url2pathname(urlsplit(where).netloc + urlsplit(where).path))
    if find_spec("fsspec") is None:
        raise RunError("no_fsspec", url=where)
    try:
        system, path = import_module("fsspec").core.url_to_fs(where)
    except (ValueError, ImportError) as error:
        raise RunError("bad_url", url=where, reason=" ".join(str(error).split())) from error
    return UrlPath(system, str(path), scheme)


def write_whole(target: Place, data: bytes) -> None:
    """Write bytes under a temporary name beside ``target``, then rename."""
    draft: Any = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
