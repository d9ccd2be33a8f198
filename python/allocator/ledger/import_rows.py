"""Rows of a file of stock by the column: read as the mapping says, and checked as far as no ledger is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.ledger.import_file import MIDNIGHT, TABLE, File
from allocator.ledger.import_report import BadRows
from allocator.ledger.lines import COLUMNS, TEXT_LENGTH_MAX, Unfit, text
from allocator.ledger.sheets import CELL_ERROR, ERRORS
from allocator.model.importing import GROUPS, IDENTIFIERS, ImportMapping
from allocator.model.number import NumberFormat, NumberRules
from allocator.numbers import check_identifiers, check_numbers, expand_ranges
from allocator.numbers.ranges import FAULTS
from allocator.numbers.spelling import MEANINGS, Texts

NUMBER: Final = r"\A[+-]?\d{1,20}(\.\d{1,20})?\z"
PLAIN: Final = r"\A[!-~]( ?[!-~])*\z"
"""Text that needs no second look: printable ASCII without blanks at its ends."""

ROUNDED: Final = r"e|inf|NaN|\d{16}\.0"
"""In a number as text: it has no digits of its own any more."""

LIST: Final = r"[;,\n]"
YEAR_MIN: Final = 1900


def rows_of(file: File, rules: NumberRules | None, packing_list: Texts | None, bad: BadRows) -> pl.DataFrame:
    """One row per unit or quantity: `row` (UInt32; of the file), and columns of a receipt as text, days as numbers.

    Rows that are wrong are noted in `bad`, and stay; a row whose serials cannot be read has none.

    Raises:
        InputError: What is wrong with the file as a whole: `column_missing`, `setting_unknown`, or `argument_value`, as
            it has no row.
    """
    frame = _mapped(file)
    bad.headers = {target: header for header, target in file.mapping.columns.items()}
    _find_surplus(file, bad)
    frame = _without_errors(frame, bad)
    _find_rounded(frame, file, bad)
    frame = _numbers_read(frame, file, bad)
    frame = _in_base_units(frame, file.mapping, bad)
    frame = _days_read(frame, file.mapping, bad)
    formats = {sku: rules.format_of(sku) if rules else None for sku in frame["sku"].unique().drop_nulls()}
    if "serials" in frame.columns:
        frame = _expanded(frame, formats, bad)
    elif "serial" in frame.columns:
        frame = _serials_checked(frame, formats, bad)
    frame = _identifiers_checked(frame, bad)
    for name in frame.columns[1:]:
        if name not in ("qty", "received_on", "expires_on"):
            frame = frame.with_columns(_values_read(frame, name, bad))
    _find_duplicates(frame, bad)
    if packing_list is not None:
        _compare(frame, packing_list, next(iter(formats.values()), None) if len(formats) == 1 else None, bad)
    return frame


def _mapped(file: File) -> pl.DataFrame:
    """The columns of a receipt, constants where a cell is empty; every header must have been spoken of."""
    frame, mapping = file.frame, file.mapping
    known = {*mapping.columns, *mapping.ignore}
    problems = [
        Problem("column_missing", f"the mapping speaks of {header!r}, which the file does not have", TABLE, header,
                hint=f"It has {', '.join(frame.columns)}"[:300])
        for header in mapping.columns if header not in frame.columns
    ]  # fmt: skip
    further = [header for header in frame.columns if header not in known]
    targets = dict(mapping.columns)
    if mapping.further == "attributes":
        targets |= {header: f"attributes.{header}" for header in further}
    elif mapping.further == "refuse":
        problems += [
            Problem("setting_unknown", "the mapping does not say what this header is", TABLE, header,
                    hint=mapping.suggestion(header))
            for header in further
        ]  # fmt: skip
    said = {*targets.values(), *mapping.constants}
    for needed in ("sku", "location"):
        if needed not in said:
            hint = f"Map a header to it, or give it as a constant: constants = {{ {needed} = … }}"
            problems.append(Problem("column_missing", f"no header is {needed}", TABLE, needed, hint=hint))
    # A line without any text is none, and counts only for the numbers of those after it.
    said_anything = frame.select(pl.any_horizontal(pl.lit(value=False), pl.all().is_not_null())).to_series()
    if not said_anything.any():
        hint = "Save it with its rows, or say in the mapping where they begin (header_row) or in which sheet they are"
        problems.append(Problem("argument_value", "there is no row beneath the header", TABLE, hint=hint))
    if problems:
        raise InputError(problems)
    columns = [pl.col(header).alias(target) for header, target in targets.items()]
    mapped = frame.select(columns).with_row_index("row").filter(said_anything)
    return mapped.with_columns(
        (pl.col(target).fill_null(value) if target in mapped.columns else pl.lit(value)).alias(target)
        for target, value in mapping.constants.items()
    )


def _find_surplus(file: File, bad: BadRows) -> None:
    """A row with more cells than there are headers: which of its cells belongs where is not known."""
    rows = pl.Series(list(file.surplus), dtype=pl.Int64)
    bad.add("cells_surplus", "", rows, pl.Series(list(file.surplus.values()), dtype=pl.String),
            ("the row has more cells than there are headers", "Quote a cell that has a separator in it"))  # fmt: skip


def _without_errors(frame: pl.DataFrame, bad: BadRows) -> pl.DataFrame:
    """The cells without those that hold an error, as a CSV file has them, too: what should stand there is not known."""
    for name in frame.columns[1:]:
        wrong = frame[name].is_in(list(ERRORS.values())).fill_null(False)
        bad.add("cell_error", name, frame["row"].filter(wrong), frame[name].filter(wrong), CELL_ERROR)
        frame = frame.with_columns(frame[name].set(wrong, None)) if wrong.any() else frame
    return frame


def _find_rounded(frame: pl.DataFrame, file: File, bad: BadRows) -> None:
    """A text that a sheet took for a number too large for it, and rounded: the digits are lost."""
    for header, target in file.mapping.columns.items():
        if header in file.numbers and target not in ("qty", "unit_cost"):
            number = file.numbers[header].gather(frame["row"])
            rounded = number & frame[target].str.contains(ROUNDED).fill_null(False)
            bad.add("value_text", target, frame["row"].filter(rounded), frame[target].filter(rounded),
                    ("a sheet took the text for a number, and rounded it", "Format the column as text"))  # fmt: skip


def _numbers_read(frame: pl.DataFrame, file: File, bad: BadRows) -> pl.DataFrame:
    """Quantities and amounts with a point before their decimals and nothing between thousands."""
    mapping = file.mapping
    for header, target in mapping.columns.items():
        if target not in ("qty", "unit_cost"):
            continue
        given = frame[target]
        plain = given
        if mapping.thousands or mapping.decimal != ".":
            between = f"\\{mapping.thousands}" if mapping.thousands else ""
            form = rf"\A[+-]?(\d+|\d{{1,3}}({between}\d{{3}})+)(\{mapping.decimal}\d+)?\z"
            plain = given.set(~given.str.contains(form).fill_null(True), None)
            plain = plain.str.replace_all(mapping.thousands, "", literal=True) if between else plain
            plain = plain.str.replace(mapping.decimal, ".", literal=True)
            if header in file.numbers:
                plain = given.zip_with(file.numbers[header].gather(frame["row"]), plain)
        plain = plain.set(~plain.str.contains(NUMBER).fill_null(True), None)
        wrong = plain.is_null() & given.is_not_null()
        example = f"12 or 33{mapping.decimal}60"
        bad.add("value_text", target, frame["row"].filter(wrong), given.filter(wrong),
                (f"the text is not a number such as {example}", ""))  # fmt: skip
        frame = frame.with_columns(plain.alias(target))
    return frame


def _in_base_units(frame: pl.DataFrame, mapping: ImportMapping, bad: BadRows) -> pl.DataFrame:
    """Quantities in base units; a row without a unit is in them already."""
    if "unit" not in frame.columns or "qty" not in frame.columns:
        return frame.drop("unit", strict=False)
    unknown = frame["unit"].is_not_null() & ~frame["unit"].is_in(list(mapping.units))
    bad.add("unit_unknown", "unit", frame["row"].filter(unknown), frame["unit"].filter(unknown),
            ("the mapping does not know the unit", f"It knows {', '.join(mapping.units)}"))  # fmt: skip
    pairs = frame.select("qty", "unit").filter(~unknown).drop_nulls().unique()
    base = [_exact(Fraction(qty) * mapping.units[unit]) for qty, unit in pairs.iter_rows()]
    found = frame.join(pairs.with_columns(base=pl.Series(base, dtype=pl.String)), on=["qty", "unit"], how="left",
                       maintain_order="left")  # fmt: skip
    broken = found["base"].is_null() & found["unit"].is_not_null() & found["qty"].is_not_null() & ~unknown
    bad.add("qty_step", "qty", frame["row"].filter(broken), frame["qty"].filter(broken),
            ("the quantity is no number of base units that can be written in decimals", ""))  # fmt: skip
    return found.with_columns(qty=pl.coalesce("base", "qty")).drop("unit", "base")


def _exact(qty: Fraction) -> str | None:
    """A quantity in decimals; None where they would not end."""
    exact = Decimal(qty.numerator) / Decimal(qty.denominator)
    return str(exact) if Fraction(exact) == qty else None


def _days_read(frame: pl.DataFrame, mapping: ImportMapping, bad: BadRows) -> pl.DataFrame:
    """Days since 1970."""
    for name in ("received_on", "expires_on"):
        if name not in frame.columns:
            continue
        given = frame[name]
        typed = given.str.ends_with(MIDNIGHT).fill_null(False)
        day = given.str.strip_suffix(MIDNIGHT).set(~typed, None).str.to_date("%Y-%m-%d", strict=False)
        written = given.set(typed, None).str.to_date(mapping.day_format, strict=False)
        day = day.fill_null(written).to_frame("day").select(
            pl.when(pl.col("day").dt.year() >= YEAR_MIN).then("day").alias(name)
        ).to_series()  # fmt: skip
        wrong = day.is_null() & given.is_not_null()
        bad.add("value_text", name, frame["row"].filter(wrong), given.filter(wrong),
                (f"the text is not a day written as {mapping.days}, from {YEAR_MIN} on", ""))  # fmt: skip
        frame = frame.with_columns(day.to_physical().cast(pl.Int64).alias(name))
    return frame


# --- numbers of units ---


def _expanded(frame: pl.DataFrame, formats: dict[str, NumberFormat | None], bad: BadRows) -> pl.DataFrame:
    """One row per serial of the ranges and lists in `serials`."""
    frame = frame.with_row_index("at")
    cells = frame.select("at", "row", "sku", text=pl.col("serials").str.replace_all(LIST, ";").str.split(";"))
    cells = cells.explode("text", empty_as_null=True).with_columns(pl.col("text").str.strip_chars())
    cells = cells.filter(pl.col("text").is_not_null() & (pl.col("text") != ""))
    found = [pl.DataFrame(schema={"at": pl.UInt32, "serial": pl.String})]
    for number_format in dict.fromkeys(formats.values()):
        skus = [sku for sku, each in formats.items() if each == number_format]
        part = cells.filter(pl.col("sku").is_in(skus))
        found += list(_spread(part, number_format, bad))
    serials = pl.concat(found)
    counts = frame.select("at", "row", "serials", *(["qty"] if "qty" in frame.columns else []))
    counts = counts.join(serials.group_by("at").len(), on="at", how="left", maintain_order="left")
    if "qty" in counts.columns:
        other = counts.filter(pl.col("qty").cast(pl.Float64) != pl.col("len"))
        bad.add("serial_quantity", "qty", other["row"], other["qty"],
                ("the quantity is not the number of serials in the row", ""))  # fmt: skip
    frame = frame.join(serials, on="at", how="left", maintain_order="left_right")
    return frame.drop("at", "serials", "qty", strict=False)


def _spread(cells: pl.DataFrame, number_format: NumberFormat | None, bad: BadRows) -> Iterator[pl.DataFrame]:
    """The numbers of ranges; where one of many is wrong, the halves of the list are looked at until it is alone."""
    if cells.is_empty():
        return
    try:
        found = expand_ranges(cells["text"], number_format)
    except InputError as error:
        if len(cells) > 1:
            middle = len(cells) // 2
            yield from _spread(cells[:middle], number_format, bad)
            yield from _spread(cells[middle:], number_format, bad)
            return
        for problem in error.problems:
            bad.add(problem.code, "serials", cells["row"], cells["text"], (problem.message, problem.hint))
        return
    yield pl.DataFrame([cells["at"].gather(found["row"]), found["number"].alias("serial")])


def _serials_checked(frame: pl.DataFrame, formats: dict[str, NumberFormat | None], bad: BadRows) -> pl.DataFrame:
    """Serials as they are compared: those of a SKU with a format must be of it."""
    for number_format in dict.fromkeys(each for each in formats.values() if each):
        skus = [sku for sku, each in formats.items() if each == number_format]
        here = (frame["sku"].is_in(skus) & frame["serial"].is_not_null()).fill_null(False).arg_true()
        checked = check_numbers(frame["serial"].gather(here), number_format)
        frame = _told(frame, "serial", here, checked, bad)
    return frame


def _identifiers_checked(frame: pl.DataFrame, bad: BadRows) -> pl.DataFrame:
    for kind in IDENTIFIERS:
        if (name := f"numbers.{kind}") in frame.columns:
            here = frame[name].is_not_null().arg_true()
            checked = check_identifiers(frame[name].gather(here), kind)
            frame = _told(frame, name, here, checked, bad)
    return frame


def _told(frame: pl.DataFrame, name: str, here: pl.Series, checked: pl.DataFrame, bad: BadRows) -> pl.DataFrame:
    """The frame with numbers as they are compared, in the rows named; what is wrong with some of them is noted."""
    found, problem = checked.get_columns()
    problem = problem.cast(pl.String)
    for code in problem.drop_nulls().unique().sort():
        at = here.filter(problem == code)
        bad.add(code, name, frame["row"].gather(at), frame[name].gather(at), MEANINGS[code])
    return frame.with_columns(frame[name].scatter(here, found))


def _find_duplicates(frame: pl.DataFrame, bad: BadRows) -> None:
    """A number that another row had before is no number of this one."""
    keys = [["sku", "serial"]] if "serial" in frame.columns else []
    keys += [[name] for name in frame.columns if name.startswith("numbers.")]
    for key in keys:
        twice = frame.drop_nulls(key).filter(~pl.struct(key).is_first_distinct())
        bad.add("number_duplicate", key[-1], twice["row"], twice[key[-1]], FAULTS["number_duplicate"])


def _compare(frame: pl.DataFrame, packing_list: Texts, number_format: NumberFormat | None, bad: BadRows) -> None:
    """The serials of the file against those that the sender says were packed."""
    packed = expand_ranges(packing_list, number_format, table="packing_list").select(serial="number")
    received = frame.select("row", "serial").drop_nulls() if "serial" in frame.columns else frame.select(
        "row", serial=pl.lit(None, pl.String)).clear()  # fmt: skip
    extra = received.join(packed, on="serial", how="anti", maintain_order="left")
    bad.add("number_unlisted", "serial", extra["row"], extra["serial"], FAULTS["number_unlisted"])
    missing = packed.join(received, on="serial", how="anti", maintain_order="left")["serial"]
    no_row = pl.Series([None], dtype=pl.Int64).new_from_index(0, len(missing))
    bad.add("number_missing", "serial", no_row, missing, FAULTS["number_missing"])


# --- values ---


def _values_read(frame: pl.DataFrame, name: str, bad: BadRows) -> pl.Series:
    """The column as a line of a transaction has it; each different value is looked at once, plain text not at all."""
    given = frame[name]
    reader: Callable[[Any], Any] = text if name.partition(".")[0] in GROUPS else COLUMNS[name]
    strange = given.drop_nulls()
    if reader is text:
        strange = strange.filter(~(strange.str.contains(PLAIN) & (strange.str.len_bytes() <= TEXT_LENGTH_MAX)))
    mended = {}
    for value in strange.unique():
        try:
            mended[value] = reader(value)
        except Unfit as unfit:
            mended[value] = None
            here = (given == value).fill_null(False)
            bad.add(unfit.code, name, frame["row"].filter(here), given.filter(here), (str(unfit), unfit.hint))
    return given.replace(mended) if mended else given


def lines_of(part: pl.DataFrame) -> list[dict[str, Any]]:
    """Lines of a receipt, as `read_lines` would read them."""
    names = part.columns[1:]
    columns = [_quantities(part[name]) if name == "qty" else part[name].to_list() for name in names]
    plain = [(n, c) for n, c in zip(names, columns, strict=True) if n.partition(".")[0] not in GROUPS]
    keys = [name for name, _ in plain]
    lines = [
        {key: value for key, value in zip(keys, values, strict=True) if value is not None}
        for values in zip(*(column for _, column in plain), strict=True)
    ]
    for group in GROUPS:
        own = [(n.partition(".")[2], c) for n, c in zip(names, columns, strict=True) if n.startswith(f"{group}.")]
        for number, line in enumerate(lines) if own else ():
            if said := {name: column[number] for name, column in own if column[number] is not None}:
                line[group] = said
    return lines


def _quantities(column: pl.Series) -> list[Any]:
    read = {value: Decimal(value) if "." in value else int(value) for value in column.drop_nulls().unique()}
    return [None if value is None else read[value] for value in column]
