"""Writing an object that must not be there yet."""

from __future__ import annotations

import errno
from typing import Any


def create(fs: Any, path: str, data: bytes) -> None:
    """Write `data` to `path` by a conditional put. Raises FileExistsError where something is there, whole or not."""
    try:
        fs.pipe_file(path, data, mode="create")
    except (FileExistsError, FileNotFoundError, PermissionError):
        raise
    except OSError as error:
        # S3 answers "conflict, try again" to some of those who write at once, and older s3fs has another exception.
        if fs.exists(path):
            raise FileExistsError(path) from error
        if error.errno == errno.ENOSYS:  # a server without conditional puts
            fs.pipe_file(path, data)
        else:
            fs.pipe_file(path, data, mode="create")
