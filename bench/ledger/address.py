"""From a path or URL to its store: a folder, or an object store (``s3://bucket/path``)."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.ledger.store import Store

RESULTS = "results"
"""The ledger that commands take where neither `--results` nor BENCH_RESULTS names one."""

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}", re.IGNORECASE)
"""One slash too, since `pathlib` writes ``s3://bucket`` so."""
_LOCAL_SCHEME = re.compile(r"(?:file|local)://", re.IGNORECASE)


def is_url(text: object) -> bool:
    """Whether this is a URL other than that of a local folder."""
    return not _LOCAL_SCHEME.match(str(text)) and _URL.match(str(text)) is not None


def open_store(root: Path | str | Store) -> Store:
    """The store of a path or a URL; a store is returned as it is.

    Raises
    ------
    UserError
        The URL's protocol is unknown, or the library for it is not installed.
    """
    if not isinstance(root, Path | str):
        return root
    if not is_url(root):
        from bench.ledger.file_store import FileStore

        return FileStore(Path(_LOCAL_SCHEME.sub("", str(root))))
    from bench.ledger.url_store import UrlStore

    return UrlStore(_URL.sub(r"\1://", str(root), count=1))


def with_results(command: str, results: object) -> str:
    """A command of bench with `--results`, unless that ledger is the default."""
    is_default = str(results) == RESULTS and not os.environ.get("BENCH_RESULTS")
    return command if is_default else f"{command} --results {shlex.quote(str(results))}"
