"""Several drivers at one ledger: who works on which key."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from dataclasses import asdict, replace

import pytest

from bench.errors import UserError
from bench.ledger.file_store import FileStore
from bench.ledger.leases import EMPTY_LEASE_SECONDS, LEASE_SECONDS, Leases, is_dead, this_process
from bench.ledger.ledger import Ledger

KEYS = [f"{number:04x}" for number in range(50)]

CLAIM = """
import json, sys
from pathlib import Path
from bench.ledger.leases import Leases

leases = Leases(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps([key for key in json.loads(sys.argv[2]) if leases.acquire(key)]), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def root(tmp_path):
    return tmp_path / "results"


def claimed_by(children):
    """Lets all children claim at the same time; what each got."""
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    return [json.loads(child.stdout.readline()) for child in children]


def set_age(root, key, seconds):
    os.utime(lease(root, key), (time.time() - seconds,) * 2)


def lease(root, key, number=0):
    return root / "leases" / f"{key}.{number}"


def write_claim(root, key, owner):
    (root / "leases").mkdir(parents=True)
    lease(root, key).write_text(json.dumps(asdict(owner)))


def test_a_key_is_claimed_by_one_driver_until_it_is_released(root):
    one, other = Leases(root), Leases(root)
    assert one.acquire("ab12")
    assert not other.acquire("ab12")
    one.release("ab12")
    assert other.acquire("ab12")
    assert not one.acquire("ab12")


def test_claiming_what_one_holds_already_succeeds(root):
    leases = Leases(root)
    assert leases.acquire("ab12")
    assert leases.acquire("ab12")


def test_only_the_owner_can_release(root):
    one, other = Leases(root), Leases(root)
    one.acquire("ab12")
    other.release("ab12")
    assert not other.acquire("ab12")


def test_release_all_leaves_no_claim_behind(root):
    leases = Leases(root)
    for key in KEYS:
        leases.acquire(key)
    leases.release_all()
    assert list((root / "leases").iterdir()) == []


def test_two_processes_at_once_claim_each_key_exactly_once(root, start_child):
    one, other = claimed_by([start_child(CLAIM, root, json.dumps(KEYS)) for _ in range(2)])
    assert sorted(one + other) == KEYS


def test_two_processes_at_once_take_over_each_stale_claim_exactly_once(root, start_child):
    dead = start_child(CLAIM, root, json.dumps(KEYS))
    assert claimed_by([dead]) == [KEYS]
    heirs = [start_child(CLAIM, root, json.dumps(KEYS)) for _ in range(2)]
    dead.kill()
    dead.wait()
    one, other = claimed_by(heirs)
    assert sorted(one + other) == KEYS


def test_a_take_over_that_comes_second_gets_nothing(root, monkeypatch):
    """Two drivers have found the same lease expired; the slower one's number is taken."""
    write_claim(root, "ab12", replace(this_process(), started="1"))
    slow, quick = Leases(root), Leases(root)
    write = FileStore.write

    def write_late(store, path, data, if_absent=False):
        monkeypatch.setattr(FileStore, "write", write)
        assert quick.acquire("ab12")
        write(store, path, data, if_absent)

    monkeypatch.setattr(FileStore, "write", write_late)
    assert not slow.acquire("ab12")
    assert [path.name for path in (root / "leases").iterdir()] == ["ab12.1"]
    assert quick.acquire("ab12")


def test_a_lease_that_is_released_while_another_driver_looks_is_free(root, monkeypatch):
    slow, quick = Leases(root), Leases(root)
    assert quick.acquire("ab12")
    read = FileStore.read

    def read_late(store, path, max_bytes):
        monkeypatch.setattr(FileStore, "read", read)
        quick.release("ab12")
        return read(store, path, max_bytes)

    monkeypatch.setattr(FileStore, "read", read_late)
    assert slow.acquire("ab12")


@pytest.mark.parametrize("error", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_links_has_leases_and_entries(root, monkeypatch, make_record, predictions, error):
    def refuse(*_):
        raise OSError(error, "no links")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    assert Leases(root).acquire("ab12")
    assert not Leases(root).acquire("ab12")
    for _ in range(2):
        Ledger(root).publish(make_record(), predictions)
    assert Ledger(root).records() == [make_record()]
    assert list((root / "tmp").iterdir()) == []


def test_the_claim_of_a_killed_process_is_free_at_once(root, start_child):
    child = start_child(CLAIM, root, '["ab12"]')
    assert claimed_by([child]) == [["ab12"]]
    assert not Leases(root).acquire("ab12")
    child.kill()
    child.wait()
    assert Leases(root).acquire("ab12")


def test_a_zombie_is_dead(root, start_child):
    child = start_child(CLAIM, root, '["ab12"]')
    claimed_by([child])
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, but not yet collected by its parent
    assert Leases(root).acquire("ab12")


def test_a_process_number_used_again_does_not_keep_a_claim_alive():
    assert not is_dead(this_process())
    assert is_dead(replace(this_process(), started="1"))


def test_a_claim_from_before_the_machine_started_again_is_free(root):
    write_claim(root, "ab12", replace(this_process(), boot="another"))
    assert Leases(root).acquire("ab12")


@pytest.mark.parametrize("elsewhere", [{"host": "another"}, {"namespace": "another container"}])
def test_a_claim_from_elsewhere_ends_by_its_age_only(root, elsewhere):
    no_process_here = 2**22 + 1
    write_claim(root, "ab12", replace(this_process(), pid=no_process_here, **elsewhere))
    set_age(root, "ab12", LEASE_SECONDS - 30)
    assert not Leases(root).acquire("ab12")
    set_age(root, "ab12", LEASE_SECONDS + 30)
    assert Leases(root).acquire("ab12")


def test_a_driver_killed_before_it_wrote_its_name_holds_nothing_up(root):
    (root / "leases").mkdir(parents=True)
    lease(root, "ab12").touch()
    assert not Leases(root).acquire("ab12")  # one that is being made is left alone
    set_age(root, "ab12", EMPTY_LEASE_SECONDS + 1)
    assert Leases(root).acquire("ab12")


@pytest.mark.parametrize("text", ['{"host": "', "[]", '{"host": 1}'])
def test_a_half_written_claim_ends_by_its_age(root, text):
    (root / "leases").mkdir(parents=True)
    lease(root, "ab12").write_text(text)
    set_age(root, "ab12", LEASE_SECONDS - 30)
    assert not Leases(root).acquire("ab12")
    set_age(root, "ab12", LEASE_SECONDS + 30)
    assert Leases(root).acquire("ab12")


@pytest.mark.parametrize(
    "change",
    [{"pid": 10**30}, {"pid": True}, {"pid": -1}, {"host": ["a"]}, {"started": None}, {"token": "\ud800"}, {"more": 1}],
)
def test_a_claim_that_names_no_process_ends_by_its_age(root, change):
    (root / "leases").mkdir(parents=True)
    lease(root, "ab12").write_text(json.dumps({**asdict(this_process()), **change}))
    assert not Leases(root).acquire("ab12")
    set_age(root, "ab12", LEASE_SECONDS + 30)
    assert Leases(root).acquire("ab12")


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.write_text("[" * 10**6)]
)
def test_what_is_no_claim_is_neither_waited_for_nor_read_without_an_end(root, make):
    (root / "leases").mkdir(parents=True)
    make(lease(root, "ab12"))
    leases = Leases(root)
    leases.acquire("ab12")
    leases.renew_all()
    leases.release_all()


def test_renewing_keeps_a_claim(root):
    leases = Leases(root)
    leases.acquire("ab12")
    set_age(root, "ab12", LEASE_SECONDS + 30)
    leases.renew_all()
    assert not Leases(root).acquire("ab12")


def test_leases_are_listed_once_to_renew_them_all(root, monkeypatch):
    leases, listed = Leases(root), []
    for number in range(3):
        leases.acquire(f"ab1{number}")
        set_age(root, f"ab1{number}", LEASE_SECONDS + 30)
    list_files = FileStore.list
    monkeypatch.setattr(FileStore, "list", lambda store, folder: listed.append(folder) or list_files(store, folder))
    leases.renew_all()
    assert listed == ["leases"]
    assert not any(Leases(root).acquire(f"ab1{number}") for number in range(3))


def test_a_driver_that_lost_its_claim_neither_renews_nor_releases_the_new_one(root):
    slow, quick = Leases(root), Leases(root)
    slow.acquire("ab12")
    set_age(root, "ab12", LEASE_SECONDS + 30)
    assert quick.acquire("ab12")
    os.utime(lease(root, "ab12", 1), (time.time() - 300,) * 2)
    before = lease(root, "ab12", 1).stat().st_mtime
    slow.renew_all()
    slow.release("ab12")
    assert lease(root, "ab12", 1).stat().st_mtime == before
    assert not lease(root, "ab12").exists()


def test_a_lease_that_is_released_while_it_is_renewed_does_not_come_back(root, monkeypatch):
    leases = Leases(root)
    leases.acquire("ab12")
    read, released = FileStore.read, threading.Thread(target=leases.release, args=("ab12",))

    def read_and_wait(store, path, max_bytes):
        data = read(store, path, max_bytes)
        if threading.current_thread() is threading.main_thread() and not released.ident:
            released.start()
            released.join(0.2)
        return data

    monkeypatch.setattr(FileStore, "read", read_and_wait)
    leases.renew_all()
    released.join()
    assert not lease(root, "ab12").exists()


def test_a_claim_from_the_future_is_free_since_the_clock_was_set_back(root):
    Leases(root).acquire("ab12")
    set_age(root, "ab12", -3600)
    assert Leases(root).acquire("ab12")


def test_claims_do_not_give_the_name_of_the_host_away(root):
    Leases(root).acquire("ab12")
    claim = json.loads(lease(root, "ab12").read_text())
    assert set(claim) == {"host", "boot", "namespace", "pid", "started", "token"}
    assert len(claim["host"]) == 16 and int(claim["host"], 16)


def test_a_folder_that_cannot_be_written_is_one_clear_error(root):
    root.mkdir()
    (root / "leases").write_text("")
    with pytest.raises(UserError, match=f"cannot be read as a ledger: {root}/leases: Not a directory"):
        Leases(root).acquire("ab12")


def test_a_key_cannot_lead_out_of_the_folder(root):
    with pytest.raises(ValueError, match="hexadecimal"):
        Leases(root).acquire("../../ab12")
