"""Downloads from a web server on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.data import DatasetInfo, download
from bench.data.dataset import load_info
from bench.errors import UserError

Put = Callable[[Path, dict[str, bytes]], Path]
TRAIN_IMAGES = "train-images-idx3-ubyte.gz"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address it is served at."""
    folder = tmp_path / "site"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_download_lands_in_the_user_cache_and_is_used_from_there(
    info: DatasetInfo, packed: dict[str, bytes], put: Put, site: tuple[Path, str], bare_machine: Path
) -> None:
    put(site[0], packed)
    said: list[str] = []
    dataset = load_info(replace(info, mirrors=(site[1],)), notify=said.append)
    assert dataset.source == bare_machine / "clothes"
    assert said[0] == f"clothes: downloading {TRAIN_IMAGES} from {site[1]}"
    assert load_info(info).train_labels.tolist() == [0, 1, 1, 0, 1, 0]
    assert [path.name for path in bare_machine.iterdir()] == ["clothes"], "nothing is left of the download"


def test_what_an_incomplete_cache_lacks_is_fetched(
    info: DatasetInfo, packed: dict[str, bytes], put: Put, site: tuple[Path, str], bare_machine: Path
) -> None:
    put(site[0], packed)
    put(bare_machine / "clothes", {TRAIN_IMAGES: packed[TRAIN_IMAGES]})
    assert load_info(replace(info, mirrors=(site[1],))).source == bare_machine / "clothes"


def test_a_damaged_download_is_refused_and_not_kept(
    info: DatasetInfo, packed: dict[str, bytes], put: Put, site: tuple[Path, str], bare_machine: Path
) -> None:
    put(site[0], {**packed, TRAIN_IMAGES: packed[TRAIN_IMAGES][:-1]})
    with pytest.raises(UserError, match=r"what came is not train-images-idx3-ubyte.gz"):
        load_info(replace(info, mirrors=(site[1],)))
    assert list(bare_machine.iterdir()) == []


def test_a_download_with_the_right_md5_and_the_wrong_sha256_is_refused(
    info: DatasetInfo, packed: dict[str, bytes], put: Put, site: tuple[Path, str], bare_machine: Path
) -> None:
    put(site[0], packed)
    strict = replace(info, files=(replace(info.files[0], sha256="0" * 64), *info.files[1:]), mirrors=(site[1],))
    with pytest.raises(UserError, match=r"what came is not the file: .*damaged or another release"):
        load_info(strict)
    assert list(bare_machine.iterdir()) == []


def test_a_second_mirror_stands_in_for_one_that_lacks_a_file(
    info: DatasetInfo, packed: dict[str, bytes], put: Put, site: tuple[Path, str], bare_machine: Path
) -> None:
    put(site[0] / "good", packed)
    dataset = load_info(replace(info, mirrors=(f"{site[1]}bad/", f"{site[1]}good/")))
    assert dataset.source == bare_machine / "clothes"


@pytest.mark.usefixtures("bare_machine")
def test_a_mirror_that_cannot_be_reached_gives_one_line(info: DatasetInfo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UserError, match=rf"mirrors: http://127.0.0.1:{port}/: .*Connection refused"):
        load_info(replace(info, mirrors=(f"http://127.0.0.1:{port}/",)))


@pytest.mark.usefixtures("bare_machine")
def test_a_mirror_that_never_answers_is_given_up(info: DatasetInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "ANSWER_SECONDS", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(UserError, match=r"no answer within 0.2 seconds"),
    ):
        load_info(replace(info, mirrors=(f"http://127.0.0.1:{server.getsockname()[1]}/",)))


def test_several_may_download_at_once(
    info: DatasetInfo, packed: dict[str, bytes], put: Put, site: tuple[Path, str], bare_machine: Path
) -> None:
    put(site[0], packed)
    wanted = replace(info, mirrors=(site[1],))
    with ThreadPoolExecutor(4) as pool:
        datasets = [future.result() for future in [pool.submit(load_info, wanted) for _ in range(4)]]
    assert {dataset.source for dataset in datasets} == {bare_machine / "clothes"}
    assert [path.name for path in bare_machine.iterdir()] == ["clothes"]
