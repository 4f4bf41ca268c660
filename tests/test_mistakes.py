"""Every message that a suite file can cause is shown here once, with the file that causes it.

The files are in `tests/made/mistakes`. That none is missing is read off the code: every statement that speaks must have
been passed, and every text of it have been shown, or be named below with the reason why no suite file leads there.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from mistakes import TABLE
from mistakes.row import nothing
from mistakes.sites import ROOT, passed, sites
from processes import imports_put_back
from pydantic import BaseModel

from bench.__main__ import main
from bench.commands import check_suites
from bench.components import AXES
from bench.data.local_files import user_cache
from bench.errors import UserError
from bench.suite import validation
from bench.suite.schema import Pruning, Sampling, Settings, SuiteFile, SuiteReference
from bench.user_code.component_code import UserCode
from bench.user_code.run_code import as_written, running

SILENT = {
    "suite/json_schema.py": "descriptions for editors",
    "models/layers.py": "an unknown scheme is refused by the schema",
    "training/checkpoint.py": "names of random streams",
    "training/runtime.py": "a line of /proc/cpuinfo",
    "training/fit.py": "names of random streams; a checkpoint of another trial",
    "training/train_trial.py": "a checkpoint of another trial, processes miscounted",
    "data/download.py": "the same: tests/data/test_debian.py",
    "data/file_formats.py": "damaged files of the catalogue's: tests/data/test_dataset.py",
    "data/catalogue.py": "names on a command line: the schema knows a suite's",
    "data/explore.py": "`bench data show`",
    "suite/python_values.py": "suites in Python: tests/test_python.py",
    "data/library_sets.py": "what libraries read: tests/data/test_library_sets.py",
    "data/hugging_face.py": "the same",
    "data/parquet_files.py": "the same",
    "data/medmnist_files.py": "the same",
    "data/torchvision_sets.py": "the same, with torch: tests/data/test_torchvision_sets.py",
}
"""Files whose texts no suite file's contents lead to, and why."""

UNREACHED = {
    "suite/expand.py block: stands for": "a note, not a mistake: tests/suite/test_time.py",
    "data/in_memory.py checked: ": "arrays in Python: tests/test_python.py",
    "data/dataset.py _obtain: ": "fetching what is not on this machine: tests/data/test_dataset.py",
    "data/dataset.py _download: ": "the same",
    "data/dataset.py _nowhere: ": "the same",
    "data/local_files.py search_paths: ": "the option --data-dir, and what places hold: tests/data/test_dataset.py",
    "data/local_files.py cached: ": "the same",
    "data/local_files.py locate: ": "the same",
    "data/readers.py fields: ": "a note, not a mistake: tests/data/test_npz.py",
    "user_code/read_code.py follow: code imports it": "a module that cannot be read",
    "user_code/read_code.py _read: is a pipe": "no file: tests/user_code/test_read_code.py",
    "user_code/run_code.py load: : expected": "asked of a name that is no user's",
    "user_code/run_code.py load: is of type": "a name that is no function, of another axis: tests/test_extending.py",
    "user_code/run_code.py cannot_unpack": "a full disk",
    "commands/load_suites.py resolve: optimizer defaults": "a question to the cache of what torch and timm said",
    "commands/check_suites.py _timm_models: ": "an expression that finds names",
    "training/optimizer_factory.py write_defaults: ": "a file of bench's own",
    "commands/check_suites.py _check_configurations: note": "no mistake: tests/execution/test_user_code.py",
    "user_code/run_code.py hook": "a file that changes meanwhile: tests/execution/test_user_code.py",
    "user_code/run_code.py _check_installed": "the same: tests/user_code/test_read_code.py",
    "suite/yaml_loader.py read: name a suite file": "the argument is a folder: tests/suite/test_document.py",
    "suite/yaml_loader.py read: is a directory": "the same",
    "suite/yaml_loader.py read: there is no such file": "the argument names no file: tests/suite/test_document.py",
    "suite/yaml_loader.py read: cannot be read:": "the file's permissions",
    "suite/yaml_loader.py plain_value: ": "--set and --only: tests/suite/test_document.py",
    "suite/find_suite.py find_suite: ": "the argument names no suite: tests/suite/test_select.py",
    "suite/suite.py read_suite: (read with": "--set: tests/suite/test_select.py",
    "suite/suite.py _matching: ": "--only: tests/suite/test_select.py",
    "suite/expand_file.py _blocks: ': no component of": "--set: tests/suite/test_select.py",
    "suite/expand_file.py _blocks: give one first, e.g.": "--set: tests/suite/test_select.py",
    "suite/select.py parse_option: ": "--set and --only: tests/suite/test_select.py",
    "suite/validation.py _message: must be a finite number": "YAML has no infinite numbers here",
    "data/image_folder.py load: : saved as arrays in": "progress, not a mistake",
    "data/readers.py fetch: ": "`bench data fetch`",
    "data/image_file.py pixels_of: ": "images of libraries: tests/data/test_library_sets.py",
    "data/image_file.py _from_array: ": "the same",
    "data/image_folder.py _decoded: : its files changed": "somebody writes meanwhile: tests/data",
    "data/image_folder.py _entries: cannot be read:": "a folder's permissions: tests/data/test_image_folder.py",
    "data/image_folder.py _is_folder: ": "a link that leads to itself: tests/data/test_image_folder.py",
    "data/image_folder.py _is_file: ": "the same",
    "data/image_folder.py _no_part: cannot be read:": "a folder's permissions, a name that is too long: the same",
    "data/local_files.py read: cannot be read:": "permissions; `_state` has told of a missing file before",
    "data/local_files.py check_file: cannot be read:": "the same",
    "data/local_files.py files_below: ": "files of libraries' data sets: tests/data/test_torchvision_sets.py",
    "data/local_files.py unreadable: ": "the same",
    "data/local_files.py read: has": "a file of half the memory: tests/data/test_npz.py",
    "data/npz.py _opened: cannot be read:": "`bench plan`, which reads headers: tests/data/test_npz.py",
    "data/npz.py _tell_unused: ": "a note, not a mistake: tests/data/test_npz.py",
    "data/readers.py entry_at: ": "`bench data show`: tests/commands/test_data_show.py",
    "suite/trial.py check_contents: ": "somebody writes meanwhile: tests/data/test_unchanged.py",
    "commands/check_suites.py check_data: ": "`bench plan`: tests/commands/test_suites.py",
    "data/prepare.py _moments: ": "data without images are refused before",
    "data/prepare.py split: ": "the schema knows the forms",
    "models/timm_models.py timm_model: raise UserError(_no_weights": "told as the trial fails: tests/models",
    "models/timm_models.py _no_weights: ": "the same",
    "models/timm_models.py _wrong_parameter: the dropout regularizer sets": "timm 1.0.31 has none without drop_rate",
    "suite/search_space.py ": "what `bench plan` says of a search: tests/commands/test_search.py",
    "suite/trial.py _check_modules: ": "two files of one name: tests/test_extending.py",
    "data/npz.py from_arrays: ": "what a data set of the user's returns: tests/test_extending.py",
    "data/npz.py _class_names: are of type": "the same",
    "data/training_part.py training_part: label noise": "the same",
    "data/training_part.py _lowest: ": "the same",
    "data/training_part.py tail_sizes: ": "the user's own: tests/test_extending.py",
    "data/training_part.py _checked_labels: ": "the same",
    "data/training_part.py _refuse_single_class: ": "data of one class: tests/data/test_training_part.py",
    "training/augment.py check: augmentation ... fails on": "the user's own: tests/test_extending.py",
    "training/augment.py _check_images: ": "the same",
    "training/objective.py create_loss: ": "the same",
    "training/objective.py check_loss: ": "the same",
    "training/objective.py check_regularizer: ": "the same",
    "training/objective.py check_scalar: ": "the same",
    "training/lr_schedules.py create: ": "the same",
    "training/lr_schedules.py check: ": "the same",
    "training/optimizer_factory.py create: ": "the same",
    "training/preprocessors.py fit: ": "the same",
    "training/preprocessors.py network_input_shape: ": "the same",
    "training/objective.py create_regularizer: ": "the same",
    "training/step_functions.py first_result: ": "the same",
    "training/step_functions.py check: ": "the same",
    "training/network.py ": "trained networks: tests/commands/test_keep.py and test_networks.py",
    "commands/load_suites.py _refuse_user_code: is a metric": "--no-user-code: tests/test_extending.py",
    "commands/check_suites.py check_metrics: ": "metrics of the user's own: tests/test_extending.py",
    "user_code/metric_code.py register_metrics: ": "the same",
    "user_code/metric_code.py compute: ": "the same",
    "execution/resource_limits.py check_resources: , GPUs:": "machines with GPUs",
    "execution/ray_cluster.py local_ray: ": "the option --gpus-per-trial on a machine with GPUs",
    "execution/ray_cluster.py started_ray: ": "the Ray of a Python session: tests/test_python.py",
    "execution/ray_cluster.py _start: ": "a machine too busy for Ray",
    "execution/ray_cluster.py _connect: ": "the option --address: tests/execution/test_connect.py",
    "execution/ray_cluster.py check_address: ": "the same",
    "execution/ray_cluster.py _check_status: ": "the same",
}
"""Statements of the other files that no suite file leads to, and why."""

SOMETIMES = {
    "suite/yaml_loader.py read: is nested more than": "deep beyond the parser shows it, but recursion may end a trace",
    "execution/resource_limits.py check_resources: CPUs: ": "names GPUs on machines that have some",
}
"""Statements that not every run of these tests sees whole, and why."""


FOREIGN = ("Input", "validation error", "pydantic", "type=", "Field required", "Extra inputs", "ctx")
"""Words of pydantic's that tell a newcomer nothing."""


@dataclass(frozen=True)
class Answer:
    """What ``bench run`` said of a file, what it left in the folder, and the lines of `FILES` that it passed.

    `kinds` are pydantic's names for the mistakes that it found.
    """

    code: int | str | None
    out: str
    err: str
    left: list[str]
    lines: set[tuple[str, int]]
    kinds: set[str]


def spoken_files() -> list[str]:
    """The files of the package whose texts a suite file's contents may lead to."""
    files = [
        path
        for name in ("suite", "data", "models", "training", "user_code")
        for path in sorted((ROOT / name).rglob("*.py"))
    ]
    others = ("commands/load_suites", "commands/check_suites", "execution/ray_cluster", "execution/resource_limits")
    files += [ROOT / f"{name}.py" for name in others]
    return [file for path in files if (file := path.relative_to(ROOT).as_posix()) not in SILENT]


FILES = spoken_files()


@cache
def answer(case: str) -> Answer:
    """What the command said; in a process of its own where it asks Ray, which keeps what earlier tests made of it."""
    if not TABLE[case].asks_ray:
        return answer_here(case)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(answer_here, case).result()


def checked_here(code: UserCode, function: Callable[..., Any], *arguments: Any) -> list[Path]:
    """What `forkserver.files_opened` does in a process of its own, without a look at the files."""
    with imports_put_back(), running(code):
        try:
            function(*arguments)
        except UserError as error:
            raise UserError(as_written(str(error))) from error
    return []


def answer_here(case: str) -> Answer:
    mistake = TABLE[case]
    out, err, kinds = io.StringIO(), io.StringIO(), set()

    def noted(detail: Any, *rest: Any) -> tuple[str, str]:
        kinds.add(detail["type"])
        return spoken(detail, *rest)

    spoken = validation._message
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name, "here")
        folder.mkdir()
        mistake.beside(folder)
        (folder / "suite.yaml").write_bytes(
            mistake.suite if isinstance(mistake.suite, bytes) else mistake.suite.encode()
        )
        before = {path.name for path in folder.iterdir()}
        patch.chdir(folder)
        patch.setattr(validation, "_message", noted)
        data = user_cache() / "fashion_mnist"  # which is not fetched once more for the empty cache
        patch.setenv("XDG_CACHE_HOME", f"{name}/cache")
        if data.is_dir():
            user_cache().mkdir(parents=True)
            (user_cache() / data.name).symlink_to(data)
        patch.setattr(sys, "argv", ["bench", "run", "suite.yaml", *mistake.options])
        patch.setattr(check_suites, "files_opened", checked_here)  # where the lines that it passes are seen
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end, passed(set(FILES)) as lines:
            main()
        left = sorted({path.name for path in folder.iterdir()} - before - {"__pycache__"})
    return Answer(end.value.code, out.getvalue(), err.getvalue().replace(f"{folder}/", ""), left, lines, kinds)


@pytest.mark.parametrize("case", TABLE)
def test_a_mistake_is_told_and_nothing_is_started(case: str) -> None:
    started = time.process_time()
    said = answer(case)
    assert [part for part in TABLE[case].said if part not in said.err] == [], said.err
    assert (said.code, said.left) == (2, [])
    assert said.out.partition(";")[0] == ("0 of 1 trial ended" if TABLE[case].asks_ray else "")
    assert [word for word in ("Traceback", *FOREIGN) if word in said.err] == [], said.err
    assert time.process_time() - started < 60


def test_the_parser_answers_with_a_file_and_a_line_or_goes_on_indented() -> None:
    for case, mistake in TABLE.items():
        if mistake.beside is nothing:
            said = answer(case).err.removeprefix("error: ")
            assert all(line.startswith(("suite.yaml", "  ", "... and ")) for line in said.splitlines()), said


def test_every_statement_that_speaks_is_passed_and_every_text_shown() -> None:
    answers = [answer(case) for case in TABLE]
    lines = set().union(*(one.lines for one in answers))
    said = "\n".join(one.err for one in answers)
    missing = {}
    for site in (site for file in FILES for site in sites(file)):
        was_passed = any((site.file, line) in lines for line in range(site.line, site.last + 1))
        unseen = [text for text in site.texts if text.strip() not in said]
        if not was_passed or unseen:
            missing[site.name] = unseen
    unexplained = [name for name in missing if not any(name.startswith(known) for known in UNREACHED | SOMETIMES)]
    assert unexplained == [], "add a row to tests/made/mistakes, or a reason to UNREACHED"
    idle = [known for known in UNREACHED if not any(name.startswith(known) for name in missing)]
    assert idle == [], "a row of the table shows it: take it out of UNREACHED"


def test_reasons_are_given_for_files_that_are_there() -> None:
    assert [file for file in SILENT if not (ROOT / file).is_file()] == []


KINDS = {
    "int": {"int_type"},
    "float": {"float_type", "finite_number"},
    "str": {"string_type"},
    "bool": {"bool_type"},
    "list": {"list_type"},
    "dict": {"dict_type"},
    "model": {"model_type"},
    "literal": {"literal_error"},
    "function-after": {"value_error"},
}
"""A node of pydantic's schema to the kinds of mistake that it tells."""

BOUNDS = {
    "gt": "greater_than",
    "ge": "greater_than_equal",
    "lt": "less_than",
    "le": "less_than_equal",
    "min_length": "too_short",
    "max_length": "too_long",
    "pattern": "string_pattern_mismatch",
}


def kinds_of(node: Any) -> Iterator[str]:
    """Every kind of mistake that a schema of pydantic's can tell."""
    if isinstance(node, dict):
        kind = node.get("type")
        yield from KINDS.get(kind, ())
        text = "string_" if kind == "str" else ""
        yield from (
            f"{text}{found}" if found.startswith("too") else found for key, found in BOUNDS.items() if key in node
        )
        if kind == "model" and node["config"].get("extra_fields_behavior") == "forbid":
            yield "extra_forbidden"
        if kind == "model-field" and node["schema"]["type"] != "default":
            yield "missing"
        for key, child in node.items():
            if key not in ("metadata", "serialization"):
                yield from kinds_of(child)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from kinds_of(child)


def test_every_kind_of_mistake_that_the_schema_knows_stands_in_the_table() -> None:
    models: list[type[BaseModel]] = [SuiteFile, SuiteReference, Settings, Sampling, Pruning]
    models += [entry for entries in AXES.values() for entry in entries.values()]
    for model in models:
        model.model_rebuild()  # validators of components are built when first used
    possible = {kind for model in models for kind in kinds_of(model.__pydantic_core_schema__)}
    told = set().union(*(answer(case).kinds for case in TABLE))
    assert possible - told == {"finite_number"}, "YAML's are all finite: `bench.suite.yaml_loader` sees to that"
