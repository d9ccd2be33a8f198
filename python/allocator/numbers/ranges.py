"""Ranges and lists of numbers, as people write them on a receipt, against what the sender says was packed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import polars as pl

from allocator.frames.findings import ROWS_MAX, Check, Findings
from allocator.model.number import NumberFormat
from allocator.numbers.formats import check_numbers, ends_of, spell
from allocator.numbers.spelling import Texts, column_of, problem_of

NUMBERS_MAX: Final = 1_000_000
"""How many numbers one call expands ranges to, unless it says else."""

SEPARATOR = r"\s*(?:\.{2,3}|[…\u2013\u2014])\s*|\s+(?i:-|to|thru|through)\s+"
FAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "number_duplicate": ("the number is there twice", "Count again"),
    "number_unlisted": (
        "the number is not on the packing list",
        "Send it back, or have the packing list corrected",
    ),
    "number_missing": (
        "the number was packed and not received",
        "Look for it; if it did not come, claim it and correct the packing list",
    ),
    "range_malformed": ("the text is no range of two numbers that end in digits", "Write both ends in full"),
    "range_ends_differ": ("the ends of the range differ in more than the sequence", "Make it two ranges"),
    "range_reversed": ("the range ends before it begins", "Write the lower end first"),
    "range_too_large": ("the range has more numbers than one call takes", "Is a digit mistyped?"),
}
"""What can be wrong with ranges and lists, and what to do."""

TAIL = r"\A(.*?)([0-9]{1,18})\z"


def expand_ranges(
    texts: Texts,
    number_format: NumberFormat | None = None,
    *,
    numbers_max: int = NUMBERS_MAX,
    table: str = "numbers",
) -> pl.DataFrame:
    """Every number of ranges and single numbers.

    A range is two numbers with `..`, `…`, a dash, `to`, `thru`, `through` or a hyphen between blanks; both ends belong
    to it. A hyphen without blanks is read as one only where the whole is no number and its two halves are: of the
    format, or without one, halves with the same letters before their digits. The
    ends differ in the sequence alone (without a format: in the digits at the end, of which both have as many).

    Args:
        texts: One range or one number each.
        number_format: The format of the SKU; check digits are computed anew for each number of a range.
        numbers_max: The most numbers that all ranges together may have.
        table: What problems call the list.

    Returns:
        One row per number, in the order of the texts, ascending within one: `row` (UInt32; which text) and `number`
        (String). Numbers that are there twice are there twice.

    Raises:
        InputError: Everything that `check_numbers` finds, `range_malformed`, `range_ends_differ`, `range_reversed`,
            `range_too_large`; all of them at once.

    Example:
        >>> len(expand_ranges(["CM500-2025-0046 to CM500-2025-0070"]))
        25
    """
    findings = Findings()
    found = _expanded(column_of(texts), number_format, numbers_max, table, findings)
    findings.raise_any()
    return found


def register_numbers(
    texts: Texts,
    number_format: NumberFormat | None = None,
    *,
    packing_list: Texts | None = None,
    numbers_max: int = NUMBERS_MAX,
) -> pl.Series:
    """The numbers of a receipt: all of them, or none and everything that is wrong.

    Args:
        texts: Ranges and single numbers, as for `expand_ranges`.
        number_format: The format of the SKU.
        packing_list: What the sender says was packed, ranges and single numbers too; None is no packing list.
        numbers_max: As for `expand_ranges`, for each of the two lists.

    Returns:
        `number` (String), each once, in the order given.

    Raises:
        InputError: As `expand_ranges`, and `number_duplicate` (twice in one list), `number_unlisted` (not on the
            packing list), `number_missing` (on it, and not received). A list that cannot be read is not compared.

    Example:
        >>> register_numbers(["CM500-2025-0046..CM500-2025-0048"], packing_list=["CM500-2025-0046", "CM500-2025-0047"])
        Traceback (most recent call last):
        ...
        allocator.errors.InputError: number_unlisted: numbers.number[0]: the number is not on the packing list (value: \
CM500-2025-0048). Send it back, or have the packing list corrected
    """
    findings = Findings()
    lists = {"numbers": column_of(texts)} | ({} if packing_list is None else {"packing_list": column_of(packing_list)})
    read = {table: _expanded(given, number_format, numbers_max, table, findings) for table, given in lists.items()}
    unread = {problem.table for problem in findings.problems}
    for table, found in read.items():
        _note(findings, table, found.filter(~pl.col("number").is_first_distinct()), "number_duplicate")
    if len(read) == 2 and not unread:
        received, packed = read["numbers"], read["packing_list"]
        extra = received.join(packed, on="number", how="anti", maintain_order="left")
        _note(findings, "numbers", extra, "number_unlisted")
        missing = packed.join(received, on="number", how="anti", maintain_order="left")
        _note(findings, "packing_list", missing, "number_missing")
    findings.raise_any()
    return read["numbers"]["number"]


def note_values(findings: Findings, table: str, texts: pl.Series, problem: pl.Series, rows: pl.Series) -> None:
    """Notes what is wrong with single texts, at most `ROWS_MAX` rows of each kind; `rows` are their row numbers."""
    wrong = pl.DataFrame([texts.alias("text"), problem.alias("problem"), rows.alias("row")]).drop_nulls("problem")
    first = wrong.group_by("problem", maintain_order=True).head(ROWS_MAX)
    for code, row, text in first.select("problem", "row", "text").iter_rows():
        findings.problems.append(problem_of(code, text, table, texts.name, row))


def _note(findings: Findings, table: str, found: pl.DataFrame, code: str) -> None:
    """Notes rows (row number, text) that have a fault."""
    rows = list(found.head(ROWS_MAX).iter_rows())
    findings.rows(Check(code, "number", pl.lit(True), *FAULTS[code]), table, rows, len(found))


def _expanded(
    texts: pl.Series, number_format: NumberFormat | None, numbers_max: int, table: str, findings: Findings
) -> pl.DataFrame:
    texts = texts.alias("number")
    maybe = texts.str.contains(SEPARATOR) | (texts.str.slice(texts.str.len_chars() // 2, 1) == "-")
    candidates = maybe.fill_null(False).arg_true()
    halves = [_halves(text, number_format) for text in texts.gather(candidates)]
    ranges = pl.DataFrame(
        [(row, *ends) for row, ends in zip(candidates, halves, strict=True) if ends],
        schema={"row": pl.UInt32, "first": pl.String, "last": pl.String},
        orient="row",
    )
    rows = pl.Series("row", range(len(texts)), pl.UInt32)
    chained = texts.str.count_matches(SEPARATOR).fill_null(0) > 1
    _note(findings, table, pl.DataFrame([rows, texts]).filter(chained), "range_malformed")
    single = ~rows.is_in(ranges["row"].implode()) & ~chained
    checked = check_numbers(texts.filter(single), number_format)
    note_values(findings, table, texts.filter(single), checked["problem"], rows.filter(single))
    singles = pl.DataFrame([rows.filter(single), checked["number"]])
    spread = _spread(ranges, number_format, numbers_max, table, findings)
    return pl.concat([singles, spread]).sort("row", maintain_order=True)


def _halves(text: str, number_format: NumberFormat | None) -> tuple[str, str] | None:
    """The two ends, if the text is a range."""
    parts = re.split(SEPARATOR, text.strip())
    if len(parts) == 2:
        return parts[0], parts[1]
    middle = len(text) // 2
    first, last = text[:middle], text[middle + 1 :]
    if len(parts) > 2 or text[middle : middle + 1] != "-" or len(first) != len(last):
        return None
    if number_format is not None:
        whole, *halves = check_numbers([text, first, last], number_format)["problem"].is_null()
        return (first, last) if all(halves) and not whole else None
    tails = [re.match(r"(.*?[A-Za-z].*?)[0-9]+\Z", half) for half in (first, last)]
    same = tails[0] and tails[1] and tails[0][1] == tails[1][1]
    return (first, last) if same else None


def _spread(
    ranges: pl.DataFrame, number_format: NumberFormat | None, numbers_max: int, table: str, findings: Findings
) -> pl.DataFrame:
    """The numbers of ranges; what is wrong with them is noted, and such ranges have none."""
    parts, sound = [], pl.Series([True]).new_from_index(0, len(ranges))
    for end in ("first", "last"):
        checked = check_numbers(ranges[end], number_format)
        note_values(findings, table, ranges[end].alias("number"), checked["problem"], ranges["row"])
        sound &= checked["problem"].is_null()
        parts.append(_parts(checked["number"], number_format).select(pl.all().name.prefix(f"{end}_")))
    both = pl.concat([ranges.select("row", text=pl.format("{} to {}", "first", "last")), *parts], how="horizontal")
    both = both.filter(sound).with_columns(count=pl.col("last_sequence") - pl.col("first_sequence") + 1)
    for code, test in _range_tests(numbers_max):
        _note(findings, table, both.filter(test).select("row", "text"), code)
        both = both.filter(~test)
    if (total := both["count"].sum()) > numbers_max:
        message = f"the ranges have {total} numbers together, more than {numbers_max}"
        findings.add("range_too_large", message, table, "number", hint="Register them in parts")
        both = both.clear()
    sequence = pl.int_ranges("first_sequence", pl.col("last_sequence") + 1)
    spread = both.select("row", sequence, head="first_head", tail="first_tail", width="first_width").rename(
        {"first_sequence": "sequence"}
    )
    spread = spread.explode("sequence", empty_as_null=False)
    if number_format is not None:
        return spread.select("row").with_columns(spell(spread, number_format))
    digits = pl.col("sequence").cast(pl.String).str.zfill(pl.col("width"))
    return spread.select("row", number=pl.concat_str("head", digits))


def _parts(number: pl.Series, number_format: NumberFormat | None) -> pl.DataFrame:
    """What must be the same at both ends, and the sequence, which is not."""
    if number_format is not None:
        return ends_of(number, number_format).with_columns(width=pl.lit(0, pl.UInt32))
    groups = number.str.extract_groups(TAIL).struct.unnest()
    groups.columns = ["head", "digits"]
    digits = pl.col("digits")
    return groups.select("head", sequence=digits.cast(pl.Int64), tail=pl.lit(""), width=digits.str.len_bytes())


def _range_tests(numbers_max: int) -> list[tuple[str, pl.Expr]]:
    pairs = [pl.col(f"first_{part}").ne_missing(pl.col(f"last_{part}")) for part in ("head", "tail", "width")]
    return [
        ("range_malformed", pl.any_horizontal(pl.col("first_sequence", "last_sequence").is_null())),
        ("range_ends_differ", pl.any_horizontal(pairs)),
        ("range_reversed", pl.col("count") < 1),
        ("range_too_large", pl.col("count") > numbers_max),
    ]
