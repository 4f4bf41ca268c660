"""`bench report --serve` as a user runs it: the page of the ledger on this machine, new when the ledger is."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from pathlib import Path

import commands
from made_ledger import L2, Ledger, config

from bench.ledger.ledger import Ledger as Stored


def get(address: str, **headers: str) -> tuple[int, str, str]:
    """Status, version and page."""
    request = urllib.request.Request(address, headers={name.replace("_", "-"): text for name, text in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
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
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, "ended\n", "")
    finally:
        process.kill()


def test_what_is_served_is_not_printed(tmp_path: Path) -> None:
    code, _, err = commands.bench("report", "--serve", "--html", "--out", "-", "--results", tmp_path)
    assert code == 2 and err.startswith("error: --serve prints no report")
