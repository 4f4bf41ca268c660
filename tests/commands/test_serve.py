"""`bench report --serve` as a user runs it: the page of the ledger on this machine, new when the ledger is."""

from __future__ import annotations

import http.client
import signal
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import commands
import pytest
from made_ledger import L2, Ledger, config

from bench.ledger.ledger import Ledger as Stored
from bench.report.serve import LivePage, open_server


def get(address: str, **headers: str) -> tuple[int, str, str]:
    """Status, version and page."""
    request = urllib.request.Request(address, headers={name.replace("_", "-"): text for name, text in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status, answer.headers["ETag"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("ETag", ""), ""


def test_the_page_follows_the_ledger(tmp_path: Path) -> None:
    made = Ledger()
    made.add(config(), [0.9, 0.91])
    made.add(config(regularizer=L2), [0.8])
    ledger = Stored(tmp_path / "results")
    for record in made.records[:2]:
        ledger.publish(record, made.stored[record.key])
    process = commands.start("report", "--results", tmp_path / "results", "--serve", "--port", "0")
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[1]
        assert address.startswith("http://127.0.0.1:")
        status, version, page = get(f"{address}?filter=mlp")
        assert status == 200 and f'content="{version[1:-1]}"' in page and "connect-src" in page
        assert "1 configuration" in page
        assert get(address, If_None_Match=version) == (304, version, "")
        ledger.publish(made.records[2], made.stored[made.records[2].key])
        while get(address, If_None_Match=version)[0] == 304:  # what was seen counts for a second
            pass
        assert "2 configurations" in get(address)[2]
        assert get(f"{address}etc/passwd")[0] == 404
        assert get(address, Host="attacker.example")[0] == 403
        assert commands.bench("report", "--results", tmp_path / "results", "--serve", "--port", address[17:-1])[0] == 2
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
        assert (process.returncode, out, err) == (0, "ended\n", "")
    finally:
        process.kill()


def test_what_is_served_is_not_printed(tmp_path: Path) -> None:
    code, _, err = commands.bench("report", "--serve", "--html", "--out", "-", "--results", tmp_path)
    assert code == 2 and err.startswith("error: --serve prints no report")


@contextmanager
def serving(make: Callable[[str], str]) -> Iterator[int]:
    """The port of a server of such pages in this process."""
    server = open_server(LivePage(lambda: "1", make), 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer_to(port: int, host: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("GET", "/", headers={"Host": host})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1", 200),
        ("LOCALHOST:80", 200),
        ("localhost.attacker.example", 403),
        ("localhost@attacker.example:80", 403),
        ("[", 403),
    ],
)
def test_this_machine_has_its_names_with_and_without_a_port(host: str, status: int) -> None:
    with serving(lambda version: f"page {version}") as port:
        assert answer_to(port, host)[0] == status


def test_a_page_that_cannot_be_made_is_answered_with_the_reason(capfd: pytest.CaptureFixture[str]) -> None:
    def make(version: str) -> str:
        raise ValueError(f"no page of version {version}")

    with serving(make) as port:
        status, text = answer_to(port, "localhost")
    assert status == 500 and "ValueError: no page of version 1" in text
    assert capfd.readouterr().err == ""


def test_a_browser_that_leaves_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    before = threading.active_count()
    with serving(lambda _: "x" * 30_000_000) as port:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost:80\r\n\r\n")
            connection.recv(100)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closes at once
        until = time.monotonic() + 20
        while threading.active_count() > before + 1 and time.monotonic() < until:
            time.sleep(0.01)
    assert capfd.readouterr().err == ""
