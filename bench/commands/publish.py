"""`bench publish`: ledgers as a site of static files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.load_results import existing, undamaged, warn_damaged
from bench.errors import UserError, plural


def publish(
    sources: Annotated[list[str], typer.Argument(help="Ledgers: folders or URLs.", metavar="LEDGER...")],
    to: Annotated[
        Path, typer.Option("--to", help="The site's folder; an earlier site in it is replaced.", metavar="DIR")
    ],
    title: Annotated[str, typer.Option("--title", help="The site's name.")] = "Leaderboard",
    verified: Annotated[
        Path | None,
        typer.Option(
            "--verified", help="What `bench verify --write FILE` found; rows are claimed without.", metavar="FILE"
        ),
    ] = None,
    url: Annotated[
        str, typer.Option("--url", help="Where the site will be served, for the links of its feed.", metavar="URL")
    ] = "",
) -> None:
    """Write ledgers as a site of static files: suites, configurations, data sets, JSON, CSV and a feed."""
    if url and not url.startswith(("https://", "http://")):
        raise UserError(f"--url {url}: write it like https://example.org/leaderboard/")
    ledgers = [existing(source) for source in sources]
    from bench.verification.statuses import read_verified
    from bench.website.joined_ledgers import JoinedLedgers
    from bench.website.site_pages import dataset_pages, suite_pages
    from bench.website.write_site import SiteWriter, prepare_folder, write_site

    known = read_verified(verified) if verified else {}
    prepare_folder(to)
    joined = JoinedLedgers(ledgers)
    suites = undamaged(lambda: suite_pages(joined, known), joined)
    for ledger in ledgers:
        warn_damaged(ledger)
    if not any(suite.rows for suite in suites):
        raise UserError(f"{', '.join(sources)}: no trial has ended yet, so there is nothing to publish")
    datasets = dataset_pages(suites)
    write_site(SiteWriter(to, title, f"{url.rstrip('/')}/" if url else ""), joined, suites, datasets, known)
    rows = {row.folder for suite in suites for row in suite.rows}
    typer.echo(
        f"wrote {to / 'index.html'}: {plural(len(suites), 'suite')}, {plural(len(rows), 'configuration')}, "
        f"{plural(len(datasets), 'data set')}"
    )
