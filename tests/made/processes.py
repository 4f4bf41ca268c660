"""The user's code in the process of the tests: what it imports is gone afterwards, as its own process would be."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.user_code.read_code import is_provided


@contextlib.contextmanager
def imports_put_back() -> Iterator[None]:
    """Forget the modules imported meanwhile, but for those of packages, which cannot be imported twice; and put the
    path and the working folder back."""
    modules, path, finders, folder = set(sys.modules), sys.path.copy(), sys.meta_path.copy(), Path.cwd()
    try:
        yield
    finally:
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file and not is_provided(Path(file).resolve()):
                del sys.modules[name]
        sys.path[:], sys.meta_path[:] = path, finders
        os.chdir(folder)
