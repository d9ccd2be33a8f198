"""The tables of fair shares, quotas and protection: read, checked, their quantities as exact units of one scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl

from allocator import engine
from allocator.errors import InputError
from allocator.frames import columns, quantity
from allocator.frames.findings import Check, Findings
from allocator.frames.ids import check_ids
from allocator.frames.read import Source, read
from allocator.model.limits import QTY_MAX
from allocator.model.tables import Column, Kind

PACK_MAX = 2**31
"""Of the smallest units of the tables."""

TEXT_FORMATS = (".csv", ".ndjson", ".jsonl")

Contract = dict[str, Column]


def needed(name: str, kind: Kind) -> Column:
    """A column that must be there, without nulls."""
    return Column(name, kind, "", required=True)


def optional(name: str, kind: Kind) -> Column:
    """A column that may be absent; so may single values."""
    return Column(name, kind, "", nullable=True)


@dataclass
class Tables:
    """The tables of one call, and what was found wrong with them.

    Attributes:
        findings: Every problem of every table so far.
        raw: Tables as read, by name.
        frames: Tables as checked, by name: without optional columns that hold nothing.
        contracts: The columns that were looked for, by table.
        ascending: Tables whose ids ascend with their rows.
        scale: Decimals of the quantities, once `to_units` was called.
    """

    findings: Findings = field(default_factory=Findings)
    raw: dict[str, pl.DataFrame] = field(default_factory=dict)
    frames: dict[str, pl.DataFrame] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    ascending: set[str] = field(default_factory=set)
    scale: int = 0

    def read(self, name: str, source: Source, contract: Contract, *, reserved: Iterable[str] = ()) -> None:
        """Reads one table and checks every column of its contract by itself.

        Args:
            name: What messages call the table.
            source: The table as given.
            contract: Its columns.
            reserved: Names that the answer needs.
        """
        try:
            given = read(source, name, self.findings).rechunk()
        except InputError as error:
            self.findings.problems += error.problems
            return
        if isinstance(source, str | Path) and Path(source).suffix.lower() in TEXT_FORMATS:
            keys = [c.name for c in contract.values() if c.kind in ("id", "key") and c.name in given.columns]
            given = given.with_columns(pl.col(keys).cast(pl.String))
        for taken in sorted({*reserved} & {*given.columns}):
            message = f"the answer has a column {taken} of its own"
            self.findings.add("column_reserved", message, name, taken, hint="Rename or drop it")
        frame = columns.conform(given, name, contract, self.findings)
        self.findings.run(name, frame, list(columns.checks(frame, contract)))
        for column in contract.values():
            if column.kind == "integer" and frame.schema.get(column.name) == pl.UInt64:
                over = pl.col(column.name) > 2**63 - 1
                check = Check("value_overflow", column.name, over, "the number is above 2⁶³ - 1", "Use smaller numbers")
                self.findings.run(name, frame, [check])
            ids = column.kind == "id" and column.name in frame.columns
            if ids and check_ids(frame, name, column.name, engine.CORE, self.findings):
                self.ascending.add(name)
        self.raw[name], self.frames[name], self.contracts[name] = given, frame, contract

    def check_keys(self, keys: Iterable[str]) -> None:
        """Notes keys that are text in one table and integers in another."""
        for key in keys:
            kinds = {
                name: columns.is_text(frame.schema[key])
                for name, frame in self.frames.items()
                if key in frame.columns and frame.height
            }
            if len(set(kinds.values())) > 1:
                where = ", ".join(f"{'text' if text else 'an integer'} in {name}" for name, text in kinds.items())
                hint = f"Cast {key} to one type in all tables"
                self.findings.add("mixed_keys", f"{key} is {where}", "", key, hint=hint)

    def to_units(self) -> None:
        """Makes every quantity an Int64 that counts units of 10^-scale, the finest of all tables."""
        names = {
            table: [c.name for c in self.contracts[table].values() if c.kind == "quantity" and c.name in frame.columns]
            for table, frame in self.frames.items()
        }
        self.scale = max((quantity.scale_of(self.frames[table], names[table]) for table in names), default=0)
        for table, frame in self.frames.items():
            units = [self._units(table, frame.get_column(name)) for name in names[table]]
            self.frames[table] = frame.with_columns(units)

    def _units(self, table: str, given: pl.Series) -> pl.Series:
        own = given.dtype.scale if isinstance(given.dtype, pl.Decimal) else 0
        steps = 10 ** (self.scale - own)
        values = given.to_physical()
        over = values > pl.Series([QTY_MAX // steps], dtype=pl.Int128)
        message = f"the quantity is more than 2⁶⁰ units of {Decimal(1).scaleb(-self.scale)}"
        hint = "Use fewer decimals or a larger base unit"
        self.findings.run(table, given.to_frame(), [Check("value_overflow", given.name, pl.lit(over), message, hint)])
        if over.any():
            return pl.Series(given.name, [None], pl.Int64()).new_from_index(0, len(given))
        units: pl.Series = values.cast(pl.Int64) * steps
        if given.name == "pack":
            message = f"a pack is not between 1 and {PACK_MAX} units of {Decimal(1).scaleb(-self.scale)}"
            bad = pl.lit((units == 0) | (units > PACK_MAX))
            self.findings.run(table, given.to_frame(), [Check("qty_out_of_range", "pack", bad, message)])
        # `qty_max` may be as large as anybody likes, and packs are not added up.
        if given.name not in ("qty_max", "pack") and units.cast(pl.Int128).sum() > QTY_MAX:
            message = "the quantities add up to more than 2⁶⁰ of the smallest units"
            self.findings.add("value_overflow", message, table, given.name, hint=hint)
        return units

    def quantity(self, units: pl.Series) -> pl.Series:
        """Units as the quantities that the tables hold: Int64, or Decimal where they have decimals."""
        if self.scale == 0:
            return units.cast(pl.Int64)
        step = Decimal(1).scaleb(-self.scale)
        return pl.select(units.cast(pl.Decimal(38, self.scale)) * step).to_series()


def filled(frame: pl.DataFrame, name: str, value: int) -> pl.Series:
    """The column, with a value where it holds none or is absent."""
    if name not in frame.columns:
        return pl.Series(name, [value], pl.Int64()).new_from_index(0, frame.height)
    return frame.get_column(name).cast(pl.Int64).fill_null(value)


def codes_of(frames: Mapping[str, pl.DataFrame], keys: Iterable[str]) -> tuple[dict[str, pl.Series], int]:
    """One dense code (UInt32) for each combination of keys, in the order of the keys; and how many there are.

    A row with a null key has a null code. Without keys all rows are alike.
    """
    names = list(frames)
    codes = [pl.Series([0], dtype=pl.UInt32()).new_from_index(0, frame.height) for frame in frames.values()]
    count = 1
    for key in keys:
        own, values = engine.encode(_key_columns(frames, key))
        held = [c.set(c == NULL, None) if (c == NULL).any() else c for c in own]
        if count == 1:
            codes, count = held, len(values)
            continue
        radix = max(len(values), 1)
        pairs = [a.cast(pl.UInt64) * radix + b for a, b in zip(codes, held, strict=True)]
        own, values = engine.encode(pairs)
        codes, count = [c.set(c == NULL, None) if (c == NULL).any() else c for c in own], len(values)
    return dict(zip(names, codes, strict=True)), count


NULL = 2**32 - 1
"""The code of a null key."""


def _key_columns(frames: Mapping[str, pl.DataFrame], key: str) -> list[pl.Series]:
    """The key in each table; where a table has no rows, or no value of it, of the type that the others have."""
    held = [frame.get_column(key) for frame in frames.values() if frame.height and key in frame.columns]
    dtype = held[0].dtype if held else pl.String()
    return [
        frame.get_column(key)
        if frame.height and key in frame.columns
        else pl.Series(key, [None], dtype).new_from_index(0, frame.height)
        for frame in frames.values()
    ]


def by_code(codes: pl.Series, qty: pl.Series, count: int) -> pl.Series:
    """The sum of the quantities of each code, 0 where there is none."""
    sums = np.zeros(count, np.int64)
    np.add.at(sums, codes.to_numpy(), qty.to_numpy())
    return pl.Series(sums)
