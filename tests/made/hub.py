"""A Hugging Face hub on loopback, with one data set at one commit: as much of its interface as `datasets` asks for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

NAME = "owner/pets"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub(folder: Path) -> Iterator[str]:
    """Serve a folder's files as the data set's; its address."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def reply(self, body: bytes, code: int = 200, **headers: str) -> None:
            self.send_response(code)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def answer(self) -> None:
            url = urlparse(self.path)
            path = unquote(url.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            api, file = f"/api/datasets/{NAME}", path.removeprefix(f"/datasets/{NAME}/resolve/{COMMIT}/")
            if path in (api, f"{api}/revision/{COMMIT}"):
                self.reply(_json({"id": NAME, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}))
            elif path.startswith(f"{api}/tree/{COMMIT}"):
                below = path.removeprefix(f"{api}/tree/{COMMIT}").strip("/")
                self.reply(_json(_listing(files, below, recursive="recursive=true" in url.query.lower())))
            elif path.startswith(f"{api}/paths-info/{COMMIT}"):
                names = parse_qs(body.decode()).get("paths", [])
                self.reply(_json([_file(name, files[name]) for name in names if name in files]))
            elif file in files:
                self.reply(files[file], ETag=f'"{_id(files[file])}"', X_Repo_Commit=COMMIT)
            else:
                self.reply(b"{}", 404, X_Error_Code="EntryNotFound" if NAME in path else "RepoNotFound")

        do_GET = do_HEAD = do_POST = answer  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _listing(files: dict[str, bytes], below: str, recursive: bool) -> list[dict[str, Any]]:
    folders = sorted({name.split("/")[0] for name in files if "/" in name}) if not below else []
    listed = [name for name in files if name.startswith(below) and (below or recursive or "/" not in name)]
    return [
        *({"type": "directory", "path": name, "oid": _id(name.encode()), "size": 0} for name in folders),
        *(_file(name, files[name]) for name in listed),
    ]


def _file(name: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": name, "size": len(content), "oid": _id(content)}


def _id(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
