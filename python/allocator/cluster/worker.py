"""What a worker does with a partition: the same as one process does with everything. Nothing here knows of Spark."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl

from allocator.cluster.carried import arrived, sent
from allocator.cluster.given import ROW, Shape
from allocator.cluster.problems import told
from allocator.engine import CORE, BoundPlan
from allocator.errors import AllocatorError
from allocator.frames.findings import Findings
from allocator.frames.prepare import prepare
from allocator.model.policy import Policy
from allocator.model.reallocation import Reallocation
from allocator.plan.compile import compile_plan
from allocator.reallocation.inputs import World, gather
from allocator.reallocation.reallocate import dealt_again
from allocator.result import Bound

if TYPE_CHECKING:
    import pyarrow as pa

GROUP = "group"
"""The place of a row's SKU among what competes, in the order in which one process answers."""

ORDER = {"order_major": pl.Int64(), "order_minor": pl.Int64()}
"""What brings the rows of all partitions in the order of one process."""

PIECE_BYTES = 8_192
"""Bytes in one piece of an answer: an engine sends some thousand rows in one message, of at most 128 megabytes."""

Outputs = Mapping[str, Mapping[str, pl.DataType]]
"""The frames of an answer, and their columns."""

PACKED = {"part": pl.Int64(), "frame": pl.String(), "piece": pl.Int64(), "content": pl.Binary()}
"""An answer in pieces: each frame of each partition as an Arrow file, cut into pieces with numbers."""


@dataclass(frozen=True)
class Task:
    """What is done with each partition.

    Attributes:
        shapes: The tables.
        policy: As for `allocate`; likewise `as_of`.
        as_of: The day.
        plan: What is dealt again; None to allocate.
        outputs: The frames that are asked for, without those of the order.
        places_apart: Whether every line names a place.
        threads: How many threads work on a partition.
        wanted: A frame of the answer, as rows; `""`: all of it, with its problems, packed; `problems`: only these.
    """

    shapes: tuple[Shape, ...]
    policy: Policy
    as_of: dt.date
    plan: Reallocation | None
    outputs: Outputs
    places_apart: bool
    threads: int | None
    wanted: str = ""

    def serve(self, part: int, stock: pa.Table, others: pa.Table) -> pa.Table:
        """Serves a partition.

        Raises:
            InputError: The partition makes no sense, and rows of a frame are wanted; likewise `PolicyError`.
        """
        tables = {shape.name: _opened(stock if shape.name == "stock" else others, shape) for shape in self.shapes}
        numbers = {s.name: tables[s.name][ROW] for s in self.shapes if s.numbered}
        findings = Findings(numbers=numbers)
        try:
            answer = self._answer(tables, findings)
        except AllocatorError as error:
            if self.wanted in self.outputs:
                raise
            answer = {"problems": told(error, self.shapes, tables)}
        if self.wanted in self.outputs:
            return sent(answer[self.wanted]).to_arrow(compat_level=pl.CompatLevel.oldest())
        pieces = [(part, name, *piece) for name, frame in answer.items() for piece in _pieces(frame)]
        return pl.DataFrame(pieces, schema=PACKED, orient="row").to_arrow(compat_level=pl.CompatLevel.oldest())

    def understood(self, given: Mapping[str, pl.DataFrame], findings: Findings) -> Bound | World:
        """The tables, checked and bound; raises every problem of them."""
        stock, demand = given["stock"], given["demand"]
        if self.plan is not None:
            policy, day = self.policy, self.as_of
            return gather(stock, demand, given["current"], self.plan, policy=policy, as_of=day, findings=findings)
        prepared = prepare(stock, demand, self.policy, CORE, findings)
        plan = compile_plan(prepared, self.policy, self.as_of, CORE, places_apart=self.places_apart)
        return Bound(prepared, self.policy, self.as_of, BoundPlan(plan))

    def _answer(self, tables: Mapping[str, pl.DataFrame], findings: Findings) -> dict[str, pl.DataFrame]:
        """The frames of the answer, in the types and with the columns of order that everyone agreed on."""
        understood = self.understood({name: table.drop(ROW, GROUP) for name, table in tables.items()}, findings)
        units = understood.prepared.stock.frame["qty_on_hand"].cast(pl.Int64).sum()
        totals = {"totals": pl.DataFrame({"units": [units]})}
        if self.wanted == "problems":
            return totals
        if isinstance(understood, Bound):
            frames = _allocated(understood, tables["demand"][GROUP], self.threads)
        else:
            assert self.plan is not None, "nothing else is gathered"
            frames = _reallocated(understood, self.plan, tables)
        typed = {name: frames[name].cast(pl.Schema({**self.outputs[name], **ORDER})) for name in self.outputs}
        return typed | totals


def _opened(table: pa.Table, shape: Shape) -> pl.DataFrame:
    """The table of a partition as it was given, with `row` and `group`; in the order of rows, or of ids."""
    types = {f"c{n}": dtype for n, dtype in enumerate(shape.types.values())}
    if table.num_rows:
        packed = pl.DataFrame(table.select([shape.name]))
        frame = packed.unnest(shape.name).filter("there")
        frame = arrived(frame, {ROW: pl.Int64(), GROUP: pl.Int64(), **types})
    else:
        frame = pl.DataFrame(schema={ROW: pl.Int64(), GROUP: pl.Int64(), **types})
    if shape.numbered:
        frame = frame.sort(ROW)
    elif shape.key in shape.types:
        frame = frame.sort(shape.at(shape.key))
    frame = frame.rename(dict(zip(types, shape.types, strict=True)))
    nothing = [pl.lit(None).alias(name) for name in shape.columns if name not in shape.types]
    return frame.with_columns(nothing).select(ROW, GROUP, *shape.columns)


def _allocated(bound: Bound, groups: pl.Series, threads: int | None) -> dict[str, pl.DataFrame]:
    result = bound.run(threads=threads)
    answer = result.answer
    return {
        "lines": _placed(result.lines, groups.gather(answer.line)),
        "allocations": _placed(result.allocations, groups.gather(answer.take_line)),
        "stock": _placed(result.stock, None),
    }


def _reallocated(world: World, plan: Reallocation, tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The frames by the rows of demand, or of stock."""
    out = dealt_again(world, plan)
    rows = {
        "lines": ("demand", out.lines["line_id"]),
        "allocations": ("demand", out.allocations["line_id"]),
        "moves": ("stock", out.moves["stock_id"]),
    }
    frames = {"lines": out.lines, "allocations": out.allocations, "moves": out.moves}
    found = {}
    for name, (table, ids) in rows.items():
        key, known = ids.name, tables[table]
        asked = pl.DataFrame([ids.cast(known.schema[key])])
        at = asked.join(known.select(key, ROW), on=key, how="left", maintain_order="left")
        found[name] = _placed(frames[name], at[ROW])
    return found


def _placed(frame: pl.DataFrame, major: pl.Series | None) -> pl.DataFrame:
    """The frame with what orders it among those of other partitions."""
    own = pl.int_range(frame.height, dtype=pl.Int64, eager=True)
    nothing = pl.lit(None, pl.Int64)
    return frame.with_columns(order_major=nothing if major is None else major, order_minor=own)


def _pieces(frame: pl.DataFrame) -> Iterator[tuple[int, bytes]]:
    buffer = BytesIO()
    sent(frame).write_ipc(buffer, compression="lz4")
    content = buffer.getvalue()
    yield from enumerate(content[at : at + PIECE_BYTES] for at in range(0, len(content), PIECE_BYTES))


def put_together(pieces: pl.DataFrame) -> dict[str, list[pl.DataFrame]]:
    """The frames of all partitions from their pieces."""
    found: dict[str, list[pl.DataFrame]] = {}
    for (_, name), alike in pieces.sort("piece").group_by("part", "frame"):
        found.setdefault(str(name), []).append(pl.read_ipc(BytesIO(b"".join(alike["content"]))))
    return found
