"""What is sent to the head: ``run.json`` with the trials, and next to it the files that they name.

The suite is expanded and checked on the sender's machine, so the head gets trials, each with its key. JSON and plain
files only; nothing is unpickled on either side.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from bench.data.catalogue import find
from bench.data.local_files import SourceFiles, locate, search_paths
from bench.data.readers import is_from_path, source_files
from bench.errors import UserError
from bench.execution.adaptive_search import with_proposals
from bench.execution.messages import RunOptions
from bench.execution.pruning import rule
from bench.jsonutil import JsonObject
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.suite.schema import Pruning
from bench.suite.search_space import SearchPoint
from bench.suite.trial import Trial, TrialConfig
from bench.user_code.component_code import ComponentCode, UserCode
from bench.user_code.read_code import installed_packages

FORMAT = 6
RUN = "run.json"
VARIABLES = "variables.json"
"""The run's environment variables, which may be secret: readable by its owner only, and removed when the driver has
read them."""
PACKAGES = "packages"
"""The folder of the user's own packages, which may have any name."""


@dataclass(frozen=True)
class BundledSuite:
    """One suite of a run: its trials, and what else decides how they are run."""

    suite: str
    trials: list[Trial]
    pruning: Pruning | None = None
    sampling_seed: int = 0
    arguments: str = ""
    """The suite as it was named on the command line, with the options that narrow it."""
    max_minutes: float | None = None
    rank_by: str = "accuracy"
    confirm: int | None = None
    """Fresh seeds for what validation selects and its rivals, once all trials have ended."""
    is_confirmation: bool = False
    """Whether the trials are those with fresh seeds."""

    def confirmation(self, fresh: Sequence[Trial]) -> BundledSuite:
        """The part of the run that trains fresh seeds, which nothing prunes and whose weights are not saved."""
        return replace(self, trials=list(fresh), pruning=None, confirm=None, is_confirmation=True)

    def options(self, options: RunOptions) -> RunOptions:
        """A run's options, with those that are this suite's."""
        return replace(
            options,
            suite=self.suite,
            pruning=self.pruning,
            sampling_seed=self.sampling_seed,
            max_minutes=self.max_minutes,
            rank_by=self.rank_by,
            keep="none" if self.is_confirmation else options.keep,
            forced=() if self.is_confirmation else options.forced,
        )

    def done(self, ledger: Ledger) -> dict[str, Record]:
        """Key to record of what this suite need not run again."""
        return ledger.done(rule(self.pruning), self.max_minutes)

    def ended(self, ledger: Ledger) -> dict[str, Record]:
        """As `done`, and with those that failed."""
        return ledger.ended(rule(self.pruning), self.max_minutes)

    def trials_so_far(self, ledger: Ledger, forced: Collection[str] = ()) -> list[Trial]:
        """The trials with those that searches have proposed by now; records of `forced` keys count for nothing."""
        ended = {key: record for key, record in self.ended(ledger).items() if key not in forced}
        return with_proposals(self.trials, ledger, ended, self.rank_by)


@dataclass(frozen=True)
class RunBundle:
    """A run as it is sent. `known` are the keys whose entries the sender has; paths are relative to ``run.json``."""

    name: str
    suites: list[BundledSuite]
    results: str
    options: RunOptions
    known: list[str] = field(default_factory=list)
    autoscaling: bool = False
    fallback: str | None = None
    """The resource of nodes to ask for when those of other types cannot be started."""
    idle_head_minutes: float | None = None
    """How long the head stays on after its last run; always, if None."""

    @property
    def trials(self) -> list[Trial]:
        return [trial for suite in self.suites for trial in suite.trials]


def pack(bundle: RunBundle, folder: Path, *, send_data: bool = False, data_dir: Path | None = None) -> None:
    """Write a run into a new folder: this package, ``run.json``, and the user's own files.

    Raises
    ------
    UserError
        A file of the user's cannot be read.
    """
    import bench

    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(Path(bench.__file__).parent, folder / "bench", ignore=ignore)
    try:
        user_code = {code.identity: code for trial in bundle.trials for code in _codes_of(trial) if code}
        codes = {identity: _packed(code, folder, str(n)) for n, (identity, code) in enumerate(user_code.items())}
        datasets = {trial.data: trial.run_config.dataset.to_json() for trial in bundle.trials if trial.is_from_path}
        sources = {text: files for text, dataset in datasets.items() if (files := source_files(dataset))}
        copies = {
            files: _copy_files(files, folder / "data" / str(n))
            for n, files in enumerate(dict.fromkeys(sources.values()))
        }
        data = {text: str(copies[files].relative_to(folder)) for text, files in sources.items()}
        for package in installed_packages(user_code.values()):
            _copy(package, folder / PACKAGES)
        if send_data:
            _copy_catalogue(bundle, folder / "datasets", data_dir)
    except OSError as error:
        raise UserError(f"cannot send {_failed_file(error)}") from error

    def trial_json(trial: Trial) -> JsonObject:
        training, of_data = (code and code.identity for code in _codes_of(trial))
        fields_as_json = {
            "config": trial.config.to_json(),
            "code": training,
            "data_code": of_data,
            "data_path": data.get(trial.data),
            "search": trial.search and trial.search.model_dump(mode="json"),
        }
        return {**vars(trial), **fields_as_json}

    suites = [
        {**vars(suite), "trials": [trial_json(trial) for trial in suite.trials], "pruning": rule(suite.pruning)}
        for suite in bundle.suites
    ]
    options = asdict(replace(bundle.options, pruning=None, connection=None, trackers=()))
    text = json.dumps({**vars(bundle), "format": FORMAT, "suites": suites, "options": options, "codes": codes})
    (folder / RUN).write_text(text)


def unpack(folder: Path, *, with_code: bool = True) -> RunBundle:
    """The run in a folder that `pack` filled, with the paths of its files in it.

    Without the user's code, which only training needs, ``run.json`` is enough.

    Raises
    ------
    UserError
        The folder holds no run, or one of another version of bench.
    """
    try:
        run = json.loads((folder / RUN).read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / RUN}: cannot be read: {error}") from error
    if run.pop("format", None) != FORMAT:
        raise UserError(f"{folder / RUN}: of another version of bench")
    packed = run.pop("codes")
    codes = {identity: _unpacked(folder, values) if with_code else None for identity, values in packed.items()}

    def trial(values: JsonObject) -> Trial:
        path = folder / values["data_path"] if values["data_path"] else None
        training, of_data = (codes[values[name]] if values[name] else None for name in ("code", "data_code"))
        search = SearchPoint.model_validate(values["search"]) if values["search"] else None
        config, data_code = TrialConfig.from_json(values["config"]), of_data.parts[0] if of_data else None
        parsed = {"config": config, "data_path": path, "code": training, "data_code": data_code, "search": search}
        return Trial(**{**values, **parsed})

    def suite(values: JsonObject) -> BundledSuite:
        pruning = Pruning.model_validate(values["pruning"]) if values["pruning"] else None
        return BundledSuite(**{**values, "trials": [trial(item) for item in values["trials"]], "pruning": pruning})

    return RunBundle(
        **{**run, "suites": [suite(values) for values in run["suites"]], "options": RunOptions(**run["options"])}
    )


def _failed_file(error: OSError) -> str:
    """The file and the reason, which shutil gives in the text for a pipe, in a list for a folder."""
    if error.filename is None and error.args and isinstance(error.args[0], list):
        file, _, reason = error.args[0][0]
        return f"{file} to the cluster: {reason}"
    return f"{error.filename or 'a file'} to the cluster: {error.strerror or error}"


def _codes_of(trial: Trial) -> tuple[UserCode | None, UserCode | None]:
    """The user's own code that training runs, and that makes the data."""
    return trial.code, UserCode((trial.data_code,)) if trial.data_code else None


def _packed(code: UserCode, folder: Path, number: str) -> JsonObject:
    """Write a code's files into a folder of their own; its other fields as JSON."""
    names = {path: str(n) for n, path in enumerate(code.files)}
    target = folder / "models" / number
    target.mkdir(parents=True)
    for path, content in code.files.items():
        (target / names[path]).write_bytes(content)

    def packed(part: ComponentCode) -> JsonObject:
        return {
            **{field.name: getattr(part, field.name) for field in fields(part)},
            "folder": str(part.folder),
            "roots": [*map(str, part.roots)],
            "modules": {name: str(path) for name, path in part.modules.items()},
            "declared": [*map(str, part.declared)],
            "files": {str(path): f"models/{number}/{names[path]}" for path in part.files},
        }

    return {"parts": [packed(part) for part in code.parts]}


def _unpacked(folder: Path, values: JsonObject) -> UserCode:
    def part(values: JsonObject) -> ComponentCode:
        return ComponentCode(
            **{
                **values,
                "folder": Path(values["folder"]),
                "roots": tuple(map(Path, values["roots"])),
                "modules": {name: Path(path) for name, path in values["modules"].items()},
                "declared": tuple(map(Path, values["declared"])),
                "files": {Path(path): (folder / file).read_bytes() for path, file in values["files"].items()},
            }
        )

    return UserCode(tuple(map(part, values["parts"])))


def _copy(path: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / path.name
    if path.is_dir():
        shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(path, target)
    return target


def _copy_files(files: SourceFiles, folder: Path) -> Path:
    """A data set's files, and nothing else that lies next to them."""
    if not files.names:
        return _copy(files.path, folder)
    for name in files.names:
        (folder / files.path.name / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files.path / name, folder / files.path.name / name)
    return folder / files.path.name


def _copy_catalogue(bundle: RunBundle, folder: Path, data_dir: Path | None) -> None:
    """The catalogue's data sets, from wherever this machine has them."""
    datasets = (trial.config.dataset.to_json() for trial in bundle.trials if trial.data_code is None)
    for info in dict.fromkeys(find(dataset) for dataset in datasets if not is_from_path(dataset)):
        located = (locate(info, location)[0] for location in search_paths(info, data_dir))
        paths = next((paths for paths in located if paths), None)
        if paths is None:
            raise UserError(
                f"{info.name}: not on this machine, from where `send_data` sends it\n"
                f"  fetch it first: bench data fetch {info.name}"
            )
        for path in paths:
            _copy(path, folder / info.folders[0])
