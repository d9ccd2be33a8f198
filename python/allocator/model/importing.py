"""How the columns of somebody else's file become those of a receipt: whose header means what, and how it is written.

`docs/import.md` explains each setting with an example.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.document import Document, Name, Names, did_you_mean
from allocator.model.exact import Ratio

TARGETS: Final[Mapping[str, tuple[str, ...]]] = {
    "sku": ("sku", "item", "item no", "item number", "article", "article number", "material", "product", "product code",
            "part", "part no", "part number", "stockcode", "artikel", "artikelnummer"),
    "serial": ("serial", "serial no", "serial number", "sn", "s n", "seriennummer"),
    "serials": ("serials", "serial numbers", "serial range", "range"),
    "lot": ("lot", "lot no", "lot number", "batch", "batch no", "batch number", "charge"),
    "qty": ("qty", "quantity", "count", "pieces", "qty on hand", "on hand", "menge"),
    "unit": ("unit", "uom", "unit of measure", "einheit"),
    "location": ("location", "place", "bin", "warehouse", "site", "store", "storage location", "lagerort"),
    "status": ("status", "state"),
    "condition": ("condition", "grade", "zustand"),
    "owner": ("owner", "owned by", "title", "besitzer"),
    "received_on": ("received on", "received", "receipt date", "date received", "goods receipt date", "wareneingang"),
    "expires_on": ("expires on", "expires", "expiry", "expiry date", "expiration date", "best before", "use by", "mhd"),
    "stock_class": ("stock class", "class"),
    "unit_cost": ("unit cost", "cost", "unit price", "price", "preis"),
}  # fmt: skip
"""The columns of a receipt, and the headers that are taken to mean them. Beside them there are `numbers.<kind>` and
`attributes.<name>`."""

IDENTIFIERS: Final = ("imei", "eid", "mac", "gtin")
"""Headers that mean a further number of a unit."""

GROUPS: Final = ("numbers", "attributes")
_DAY_PARTS: Final = {"YYYY": "%Y", "YY": "%y", "MMM": "%b", "MM": "%m", "DD": "%d"}
_DAY_PART: Final = re.compile("|".join(_DAY_PARTS))


def _target(value: object) -> object:
    if not isinstance(value, str):
        return value
    group, _, name = value.partition(".")
    if value in TARGETS or (group in GROUPS and re.fullmatch(r"\S(.*\S)?", name)):
        return value
    hint = did_you_mean(value, list(TARGETS)) or f"There are {', '.join(TARGETS)}, numbers.<kind> and attributes.<name>"
    raise PolicyError(Problem("setting_value", "a receipt has no such column", value=value[:80], hint=hint))


def _day_format(value: object) -> object:
    if isinstance(value, str) and sorted(part[0] for part in _DAY_PART.findall(value)) != ["D", "M", "Y"]:
        raise ValueError("a day is written with DD, MM (or MMM) and YYYY (or YY), each once, as in DD.MM.YYYY")
    return value


Target = Annotated[str, BeforeValidator(_target)]
"""A column of a receipt: a key of `TARGETS`, `numbers.imei`, `attributes.colour`."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ImportMapping(Document):
    """How a file of stock is to be read.

    Attributes:
        name: What people call this document.
        columns: The file's headers, and the column of a receipt that each one is.
        constants: Values of columns that the file does not have, or leaves empty.
        ignore: Headers that say nothing.
        further: What becomes of headers that are named nowhere here: they are refused, ignored, or become attributes
            of their own name (custom fields).
        empty: Texts that stand for nothing, such as `-` or `n/a`. Cells without text always do.
        units: How many base units one unit of the column `unit` is, exactly.
        days: How days are written: `DD.MM.YYYY`, `MM/DD/YY`, `DD-MMM-YYYY`.
        decimal: What stands before decimal places.
        thousands: What stands between thousands; '' is nothing.
        separator: What stands between the cells of a CSV file; None finds out.
        encoding: How the letters of a CSV file are written.
        sheet: The sheet of a workbook; None is the first.
        header_row: How many rows stand above the headers.

    Example:
        >>> mapping = ImportMapping(
        ...     columns={"Artikel-Nr.": "sku", "Menge": "qty", "Farbe": "attributes.colour"},
        ...     constants={"location": "north/store"},
        ...     days="DD.MM.YYYY",
        ...     decimal=",",
        ... )
        >>> mapping.day_format
        '%d.%m.%Y'
    """

    kind: ClassVar[str] = "mapping"

    name: Name = "mapping"
    columns: dict[Name, Target] = Field(default_factory=dict)
    constants: dict[Target, Text] = Field(default_factory=dict)
    ignore: Names = ()
    further: Literal["refuse", "ignore", "attributes"] = "refuse"
    empty: tuple[Text, ...] = ()
    units: dict[Name, Ratio] = Field(default_factory=dict)
    days: Annotated[str, BeforeValidator(_day_format)] = "YYYY-MM-DD"
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""
    separator: Literal[",", ";", "\t", "|"] | None = None
    encoding: Literal["utf-8", "windows-1252", "iso-8859-1", "utf-16"] = "utf-8"
    sheet: Name | None = None
    header_row: Annotated[int, Field(strict=True, ge=0, le=1000)] = 0

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = []
        of_target = defaultdict(list)
        for header, target in self.columns.items():
            of_target[target].append(header)
        for target, headers in of_target.items():
            if len(headers) > 1:
                message = f"{' and '.join(headers)} cannot both be {target}"
                problems.append(Problem("setting_twice", message, column=f"columns.{headers[1]}", value=target))
        for header in sorted({*self.columns} & {*self.ignore}):
            problems.append(Problem("setting_conflict", "the header is mapped and ignored", column="ignore",
                                    value=header))  # fmt: skip
        if self.decimal == self.thousands:
            message = "the same sign cannot stand before decimals and between thousands"
            problems.append(Problem("setting_conflict", message, column="thousands", value=self.thousands))
        said = {*of_target, *self.constants}
        if {"serial", "serials"} <= said:
            message = "a row has one serial, or several: not both"
            problems.append(Problem("setting_conflict", message, column="columns", value="serials"))
        if "unit" in said and not self.units:
            hint = "Say how many base units each is: units = { carton = 12 }"
            problems.append(Problem("setting_missing", "units are mapped and none is known", column="units", hint=hint))
        if problems:
            raise PolicyError(problems)
        return self

    @property
    def day_format(self) -> str:
        """How days are written, as `strptime` spells it."""
        return _DAY_PART.sub(lambda part: _DAY_PARTS[part[0]], self.days.replace("%", "%%"))

    @classmethod
    def guess(cls, headers: Iterable[str]) -> Self:
        """The mapping that headers suggest by their words. What is not understood is left out: it is refused later.

        Args:
            headers: The file's headers.

        Example:
            >>> ImportMapping.guess(["Part No.", "S/N", "Storage location", "IMEI"]).columns
            {'Part No.': 'sku', 'S/N': 'serial', 'Storage location': 'location', 'IMEI': 'numbers.imei'}
        """
        known = {words: target for target, all_words in TARGETS.items() for words in all_words}
        known |= {kind: f"numbers.{kind}" for kind in IDENTIFIERS}
        columns: dict[str, str] = {}
        for header in headers:
            words = " ".join(re.findall(r"[^\W_]+", header.lower()))
            if (target := known.get(words)) and target not in columns.values():
                columns[header.strip()] = target
        # What a unit is in base units cannot be guessed: the header stays to be spoken of.
        columns = {header: target for header, target in columns.items() if target != "unit"}
        return cls(name="guessed", columns=columns)

    def suggestion(self, header: str) -> str:
        """What a header that is not mapped may mean."""
        free = [words for target, all_words in TARGETS.items() if target not in self.columns.values()
                for words in all_words]  # fmt: skip
        words = " ".join(re.findall(r"[^\W_]+", header.lower()))
        near = did_you_mean(words, free)
        target = next((t for t, all_words in TARGETS.items() if near and near.split("'")[1] in all_words), "")
        if target:
            return f"Did you mean {target!r}? Map it: columns = {{ {header!r} = {target!r} }}"
        return "Map it (attributes.<name> keeps it with the unit), or name it in ignore"
