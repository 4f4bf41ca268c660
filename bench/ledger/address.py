"""From what a person wrote to a ledger's home: a folder, or the URL of one elsewhere (``s3://bucket/path``)."""

from __future__ import annotations

import re
from pathlib import Path

from bench.ledger.disk import Disk
from bench.ledger.home import Home

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}", re.IGNORECASE)
"""One slash too, since `pathlib` writes ``s3://bucket`` so."""
_HERE = re.compile(r"(?:file|local)://", re.IGNORECASE)


def is_url(text: object) -> bool:
    """Whether this names a place that is not a folder of this machine."""
    return not _HERE.match(str(text)) and _URL.match(str(text)) is not None


def home_of(root: Path | str | Home) -> Home:
    """The home that a path or a URL names; one that is a home already stays it.

    Raises
    ------
    UserError
        The URL's protocol is unknown, or the library for it is not installed.
    """
    if not isinstance(root, Path | str):
        return root
    if not is_url(root):
        return Disk(Path(_HERE.sub("", str(root))))
    from bench.ledger.remote import Remote

    return Remote(_URL.sub(r"\1://", str(root), count=1))
