"""`transitions`: many changes of status against a lifecycle."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import polars as pl
import typer

from allocator.cli.given import TABLES_HELP, Json, read_keys
from allocator.cli.save import check_target, save
from allocator.cli.show import say, say_json, say_table, working
from allocator.errors import CODES, AllocatorError, Problem
from allocator.frames.findings import gathered
from allocator.model.lifecycle import Lifecycle
from allocator.transitions import validate_transitions

REFUSED_SHOWN = 10

NAMES: Final = ("unit", "from", "to", "role", "reason", "document", "previous")


def transitions(
    changes: Annotated[
        Path, typer.Argument(metavar="FILE", help=f"One row per change, columns `from` and `to`: {TABLES_HELP}.")
    ],
    *,
    lifecycle: Annotated[
        str, typer.Option("--lifecycle", "-l", metavar="NAME|FILE", help="A preset (serial, device, asset) or a file.")
    ] = "serial",
    path: Annotated[
        bool, typer.Option("--path", help="Rows of one `unit` follow each other: each begins where the last ended.")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all rows with their verdicts there.")] = None,
    fail_refused: Annotated[
        bool, typer.Option("--fail-refused", help="Leave with code 1 if any change is refused.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Says of every change of status whether the lifecycle allows it, and if not, why.

    Columns: `from`, `to`; where there are any `role`, `approval`, `reason`, `document`, `photo`, `previous`; `unit`
    with `--path`. A null `from` is a new unit.

    **Examples**

    - `allocator transitions changes.csv --lifecycle serial`
    - `allocator transitions changes.parquet --lifecycle mine.toml --path --out judged.parquet --fail-refused`
    - `allocator policy describe serial --kind lifecycle`
    """
    if out is not None:
        check_target(out, [changes])
    with working("reading"):
        found = gathered(
            {"lifecycle": partial(Lifecycle.load, lifecycle), "changes": partial(read_keys, changes, "changes", NAMES)},
            then=partial(_column_problems, path=path),
        )
    with working("judging"):
        judged = validate_transitions(found["changes"], found["lifecycle"], path=path)
    if out is not None:
        save(judged, out)
    counts = judged.group_by("verdict").agg(changes=pl.len()).sort("changes", "verdict", descending=[True, False])
    numbered = judged if "row" in judged.columns else judged.with_row_index("row")
    refused = numbered.filter(~pl.col("allowed")).drop("allowed")
    if as_json:
        answer = {"lifecycle": found["lifecycle"].name, "changes": judged.height, "refused": refused.height}
        say_json(answer | {"verdicts": counts.to_dicts(), "first_refused": refused.head(REFUSED_SHOWN).to_dicts()})
    else:
        say(f"{found['lifecycle'].name}: {judged.height:,} changes, {refused.height:,} refused", "bold")
        words = pl.col("verdict").cast(pl.String).replace_strict(CODES, default="").alias("meaning")
        say_table(counts.with_columns(words))
        if refused.height:
            say_table(refused, "Refused", rows_max=REFUSED_SHOWN)
        if out is not None:
            say(f"Wrote {out}.")
    if fail_refused and refused.height:
        raise typer.Exit(1)


def _column_problems(found: dict[str, Any], *, path: bool) -> list[Problem]:
    """What is wrong with the columns of the changes, where the lifecycle could not be read."""
    try:
        if "changes" in found:
            validate_transitions(found["changes"].clear(), Lifecycle.load("serial"), path=path)
    except AllocatorError as error:
        return list(error.problems)
    return []
