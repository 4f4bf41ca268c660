"""`bench predict`, `bench latency`, `bench export --weights`: what trained networks are used for."""

from __future__ import annotations

import csv
import json
import platform
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bench.commands.data import datasets_of
from bench.commands.load_results import existing
from bench.commands.options import RESULTS, AsJson, DataDir, KeysArgument, Results, SuiteFolder
from bench.completion import complete_key
from bench.components import parse_component
from bench.errors import UserError
from bench.execution.rerun import rebuild_trial
from bench.inference.input_images import read_images
from bench.ledger.weights_files import read_weights
from bench.streams import reserve_stdout

if TYPE_CHECKING:
    from bench.inference.measure_latency import Latency

BATCH = 250


def predict(
    key: Annotated[
        str, typer.Argument(help="A trial's key, or its first digits.", metavar="KEY", autocompletion=complete_key)
    ],
    images: Annotated[
        list[Path], typer.Argument(help="Image files, folders of them, .npy or .npz arrays.", metavar="IMAGES...")
    ],
    results: Results = RESULTS,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, with the probability of every class.")] = False,
    folder: SuiteFolder = Path(),
    data_dir: DataDir = None,
) -> None:
    """Classify images with a trained network whose weights a run has saved (--keep)."""
    if as_json and as_csv:
        raise UserError("--json and --csv: a table has one of the two forms")
    output = reserve_stdout() if as_json or as_csv else sys.stdout
    record, weights = read_weights(existing(results), key)
    if missing := [str(path) for path in images if not path.exists()]:  # before torch is imported
        raise UserError(f"{', '.join(missing)}: there is no such file or folder")
    import torch

    from bench.inference.classifier import build_classifier

    classifier = build_classifier(record, weights, folder, data_dir)
    names, pixels = read_images(images, classifier.image_shape, parse_component("dataset", record.config["dataset"]))
    with torch.inference_mode():
        batches = torch.split(torch.from_numpy(pixels), BATCH)
        probabilities = torch.cat([classifier(batch).softmax(1) for batch in batches])
    highest, classes = (values.tolist() for values in probabilities.max(1))
    labels = [classifier.classes[number] for number in classes]
    if as_json:
        rows = [
            {
                "image": name,
                "class": label,
                "probability": probability,
                "probabilities": dict(zip(classifier.classes, row, strict=True)),
            }
            for name, label, probability, row in zip(names, labels, highest, probabilities.tolist(), strict=True)
        ]
        typer.echo(json.dumps({"key": record.key, "predictions": rows}, indent=2), file=output)
    elif as_csv:
        writer = csv.writer(output, lineterminator="\n")
        writer.writerow(["image", "class", "probability", *classifier.classes])
        for name, label, probability, row in zip(names, labels, highest, probabilities.tolist(), strict=True):
            writer.writerow([name, label, *(f"{value:.6f}" for value in (probability, *row))])
    else:
        width = max(map(len, names))
        for name, label, probability in zip(names, labels, highest, strict=True):
            typer.echo(f"{name.ljust(width)}  {label}  {100 * probability:.1f} %")


def latency(
    keys: KeysArgument,
    results: Results = RESULTS,
    device: Annotated[Literal["cpu", "cuda"], typer.Option("--device", help="Where to compute.")] = "cpu",
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads of PyTorch.")] = 1,
    as_json: AsJson = False,
    folder: SuiteFolder = Path(),
    data_dir: DataDir = None,
) -> None:
    """Time the forward passes of trained networks on this machine, at batches of 1 and 256."""
    output = reserve_stdout() if as_json else sys.stdout
    ledger = existing(results)
    saved = [read_weights(ledger, key) for key in dict.fromkeys(keys)]
    import torch

    from bench.inference.classifier import build_classifier
    from bench.inference.measure_latency import BATCHES, measure_latency
    from bench.training.runtime import device_name

    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: PyTorch finds no GPU on this machine; leave the option out")
    torch.set_num_threads(threads)
    machine = {
        "device": device_name(torch.device(device)),
        "threads": threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    rows: list[tuple[str, Latency]] = []
    if not as_json:
        plural = "" if threads == 1 else "s"
        typer.echo(f"{machine['device']}, {threads} thread{plural}, torch {machine['torch']}")
        typer.echo(f"{'trial':20}  {'batch':>5}  {'median':>10}  {'99th perc.':>10}  {'images/s':>9}")
    for record, weights in saved:
        classifier = build_classifier(record, weights, folder, data_dir)
        for batch in BATCHES:
            measured = measure_latency(classifier, batch, device)
            rows.append((record.key, measured))
            if not as_json:
                typer.echo(
                    f"{record.key:20}  {batch:5}  {measured.median_ms:7.3f} ms  {measured.p99_ms:7.3f} ms"
                    f"  {measured.images_per_second:9,.0f}"
                )
    if as_json:
        latencies = [{"key": key, **asdict(measured)} for key, measured in rows]
        typer.echo(json.dumps({**machine, "latencies": latencies}, indent=2), file=output)


def export_network(key: str, target: Path, results: str, folder: Path, data_dir: Path | None, *, onnx: bool) -> None:
    """Write a trial's network as a folder that works without bench, checked on every test image."""
    ledger = existing(results)
    record, weights = read_weights(ledger, key)
    if onnx:
        from bench.inference.network_files import require_onnx

        require_onnx()
    from bench.inference.classifier import build_classifier
    from bench.inference.network_files import write_network

    trial = rebuild_trial(record, folder)
    data = datasets_of([trial], data_dir)[trial.data]
    classifier = build_classifier(record, weights, folder, data_dir)
    predictions = ledger.predictions(record.key)
    agreements = write_network(classifier, record, weights, target, data.test_images, predictions, onnx=onnx)
    for name, agreement in agreements.items():
        typer.echo(f"{name}: {agreement.text}")
    typer.echo(f"wrote {target}: python {shlex.quote(str(target / 'load.py'))} IMAGES.npy")
