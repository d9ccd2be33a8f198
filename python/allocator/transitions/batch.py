"""Many changes of status in one call."""

from __future__ import annotations

import numpy as np
import polars as pl

from allocator import engine
from allocator.frames.read import Source, read
from allocator.model.lifecycle import Lifecycle
from allocator.transitions import columns
from allocator.transitions.table import CODE, COLUMNS_GIVEN, MISSING, NOTHING, VERDICTS, compiled

VERDICT = pl.Enum(VERDICTS)


def validate_transitions(
    changes: Source,
    lifecycle: Lifecycle,
    *,
    path: bool = False,
    targets: bool = False,
) -> pl.DataFrame:
    """Says of each change of status whether the lifecycle allows it, and if not, why.

    One row is one change of one unit that is asked for. Nothing is changed; a refusal is an answer, not an error.

    Args:
        changes: A table, given as `allocate` takes them: frames, Arrow streams, lists by column, the path of a file.
            Columns read, others kept:

            - `from`, `to` (required): statuses as String, Enum, Categorical, or UInt8 codes, the place of the status
              in `lifecycle.statuses`. A null `from` is a unit that is new; a null `to` is no status.
            - `role`, `reason`, `document`: likewise, codes being places in `lifecycle.roles`, `.reasons` and
              `.documents`; null or no column: nothing is given.
            - `approval`, `photo` (Boolean): whether it is given; null or no column: it is not.
            - `previous` (as `from`): the status before the one that is left, for changes back such as unblocking.
            - `unit` (String, Enum, Categorical or integer): read only with `path`; no nulls.
        lifecycle: The statuses, the changes allowed between them, and what each needs.
        path: Whether rows of one unit are changes after one another. Each must then begin where the last allowed
            one ended; a refused row changes nothing, so it is passed over.
        targets: Whether to add the statuses to which each row's `from` may change.

    Returns:
        The rows as given, in their order, with `allowed` (Boolean), `verdict` (Enum of `VERDICTS`; `allowed`, or the
        gravest reason against it) and, if asked for, `targets` (List of String; restricted ones left out).

    Raises:
        InputError: `column_missing`, `column_type`, `column_reserved`, `value_null`, `table_unreadable`,
            `column_duplicate`, `row_count`, `argument_type`.
        FileError: `file_missing`, `file_format`, `file_unreadable`.

    Cost: linear; a few nanoseconds a row from codes or Enum columns, most of it for the Enum of the answer. Text is
    encoded first, and `path` sorts the units.

    Example:
        >>> pairs = [("Available", "Allocated"), ("Quarantine", "Available"), ("Sold", "Retired")]
        >>> asked = pl.DataFrame(pairs, schema=["from", "to"], orient="row")
        >>> validate_transitions(asked, Lifecycle.load("serial"))["verdict"].to_list()
        ['allowed', 'approval_missing', 'status_unknown']
    """
    frame = read(changes, columns.TABLE)
    codes = verdict_codes(frame, lifecycle, path=path)
    answer = [(codes == CODE["allowed"]).alias("allowed"), codes.cat.to(VERDICT).alias("verdict")]
    if targets:
        answer.append(_targets(frame["from"], lifecycle))
    return frame.with_columns(answer)


def verdict_codes(changes: pl.DataFrame, lifecycle: Lifecycle, *, path: bool = False) -> pl.Series:
    """The verdict of each row as a code (UInt8): its place in `VERDICTS`, 0 being `allowed`.

    For programs that go on with codes. Arguments and errors are those of `validate_transitions`.

    Cost: from UInt8 codes without nulls, three bytes of memory traffic a row and nothing else.
    """
    columns.check_arguments(lifecycle)
    columns.check(changes, path=path)
    table = compiled(lifecycle)
    given = [column for column in COLUMNS_GIVEN if column in changes.columns]
    nothing = {column: MISSING if column == "previous" else NOTHING for column in COLUMNS_GIVEN}
    absent = [table.needs[column][:, nothing[column]] for column in COLUMNS_GIVEN if column not in given]
    codes = {column: columns.encoded(changes[column], table.names.get(column, ())) for column in ("from", "to", *given)}
    units, count = columns.dense(changes["unit"]) if path else (None, 0)
    return engine.transition_verdicts(
        from_=codes["from"],
        to=codes["to"],
        kinds=table.kinds.tobytes(),
        verdicts=np.maximum.reduce([table.verdicts, *absent]).tobytes(),
        needs=[(*codes[column], table.needs[column].tobytes()) for column in given if column != "previous"],
        back=(*codes["previous"], table.back.tobytes(), table.needs["previous"].tobytes())
        if "previous" in given
        else None,
        path=None if units is None else (units, count, CODE["history_broken"]),
    )


def _targets(status_from: pl.Series, lifecycle: Lifecycle) -> pl.Series:
    """The statuses to which each row may change: one list per status, gathered."""
    names = list(lifecycle.state_of)
    lists = [list(lifecycle.targets(name)) for name in names] + [[], list(lifecycle.statuses_initial)]
    codes, meaning = columns.encoded(status_from, names)
    place = np.full(256, len(names))
    place[: len(names)], place[NOTHING] = range(len(names)), len(names) + 1
    rows = place[np.frombuffer(meaning, np.uint8)][codes.to_numpy()]
    return pl.Series("targets", lists, dtype=pl.List(pl.String)).gather(rows)
