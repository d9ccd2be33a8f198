"""Every error of this package, and the problems that an error carries.

An error never reports one problem and hides the next: it carries a list of `Problem`, each with a stable
code, the place (table, column, row), the value and a hint. `docs/errors.md` explains every code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

SHOWN_MAX = 20
"""How many problems the text of an error spells out; the rest is counted. `.problems` has them all."""

CODES: Final[Mapping[str, str]] = {
    # documents: policies, lifecycles, limits
    "document_syntax": "The text is not a document of its format.",
    "place_malformed": "A place is not spelled as levels joined by '/'.",
    "preset_unknown": "There is no preset of this name.",
    "setting_conflict": "A setting contradicts another one, or what its name means.",
    "setting_missing": "A required setting is not there.",
    "setting_twice": "The same entry is in a list twice.",
    "setting_type": "A setting has a value of the wrong type.",
    "setting_unknown": "There is no such setting.",
    "setting_value": "A setting has a value that makes no sense.",
    "substitute_ring": "Substitutes that stand in for each other do not exchange one for one in the end.",
    # lifecycles
    "event_ambiguous": "An event would make two different changes of one status, or a change back.",
    "lifecycle_too_large": "A lifecycle has more names than fit in a byte.",
    "name_duplicate": "People cannot tell two names apart.",
    "name_reserved": "A name begins with $, which has a meaning.",
    "restricted_contradiction": "A change is restricted without a role, or made by an event although people decide.",
    "state_unknown": "There is no state of this name.",
    "status_unknown": "There is no status of this name.",
    "status_unreachable": "No unit can ever have this status.",
    "transition_duplicate": "The change between two statuses is given twice.",
    # numbers of units, and identifiers
    "check_digit_wrong": "A check digit does not fit the rest of its number.",
    "format_unknown": "There is no format of this name.",
    "identifier_malformed": "A text is not of the kind of identifier that is asked for.",
    "identifier_reserved": "An identifier can belong to no single device.",
    "label_check_digit": "A number within a label has a wrong check digit.",
    "label_contradiction": "A label says one thing twice, and differently.",
    "label_date": "A date within a label is no day of the calendar.",
    "label_malformed": "A scan is no GS1 element string, link or number.",
    "number_blank": "A number has blanks before, after, or twice within it.",
    "number_duplicate": "A number is in one list twice.",
    "number_invisible": "A number contains characters that cannot be seen.",
    "number_missing": "A number of the packing list was not received.",
    "number_not_ascii": "A number contains letters or signs outside ASCII.",
    "number_pattern": "A number is not of its format.",
    "number_too_long": "A number is longer than numbers are.",
    "number_unlisted": "A number is not on the packing list.",
    "pattern_malformed": "A pattern of numbers cannot be read, or in two ways.",
    "range_ends_differ": "The ends of a range differ in more than the sequence.",
    "range_malformed": "The ends of a range have nothing to count.",
    "range_reversed": "A range ends before it begins.",
    "range_too_large": "Ranges have more numbers than one call takes.",
    "sequence_overflow": "A sequence has not that many numbers left.",
    "text_too_long": "A text is longer than texts of recalls are.",
    # changes of status
    "approval_missing": "The change must be approved.",
    "document_missing": "The change needs a document of a certain kind.",
    "history_broken": "The change does not begin where the unit is.",
    "photo_missing": "The change needs a photo.",
    "previous_differs": "The unit can only go back to what it was before.",
    "previous_missing": "The unit goes back to what it was before, which is not given.",
    "reason_missing": "The change needs a reason code.",
    "reason_not_allowed": "The reason code is none of those that the change takes.",
    "role_missing": "The change takes a role that is not given.",
    "status_not_initial": "No unit begins in this status.",
    "transition_unlisted": "The lifecycle lists no change between the two statuses.",
    # limits
    "limit_conflict": "Two limits are equally specific for the same key.",
    "limit_empty": "A limit names no maximum.",
    "request_already_open": "A request to be checked is also among the open requests.",
    "rounding_unknown": "A limit of a table names a rounding that does not exist.",
    "trigger_above_limit": "A limit asks for stock at a position where there is no room for any.",
    "unit_cost_missing": "A limit in value holds for a SKU without a unit cost above zero.",
    # fair shares, quotas, protection
    "group_overlap": "Two tiers claim the same lines, or one group is protected twice.",
    "group_unknown": "A line is in no tier, or a pool that is protected has no supply.",
    "guarantee_above_max": "More is guaranteed than may be had.",
    "period_overlap": "Two periods of one quota share a day.",
    "period_reversed": "A period ends before it begins.",
    "protection_above_supply": "More is kept for groups than there is.",
    "quota_above_supply": "Quotas promise more than there is, and may not.",
    "rule_empty": "A rule of sharing, or a document of quotas, says nothing.",
    # scenarios
    "lever_conflict": "Two levers of a scenario contradict each other.",
    "lever_empty": "A lever of a scenario finds nothing that it could change.",
    # the optimum
    "problem_too_large": "An optimum would have to tell apart more than a solver can hold.",
    # reallocation
    "allocated_above_line": "A line has more than it asks for.",
    "allocated_above_stock": "Of a stock row more is allocated than there is.",
    "allocation_twice": "A line has the same stock row twice.",
    "plan_indivisible": "A limit concerns more rows than one partition may have.",
    "segment_overlap": "A line is in two segments.",
    "stage_unknown": "An allocation is in a stage that does not exist.",
    "stock_unknown": "There is no stock row of this id.",
    # arguments
    "argument_missing": "An argument that has no default is not given.",
    "argument_value": "An argument is not what it should be, such as no day of the calendar.",
    "line_unknown": "There is no demand line of this id.",
    # files
    "extra_missing": "What an extra of this package needs is not installed.",
    "data_missing": "The demo's order lines, or what draws its plot, are not installed.",
    "file_format": "The file's suffix names no format that is read here.",
    "file_missing": "There is no such file.",
    "file_too_large": "The file is larger than a document may be.",
    "file_unreadable": "The file is there and cannot be read.",
    "file_unwritable": "The file cannot be written.",
    # tables and columns
    "cell_error": "A cell of a sheet holds an error, such as #N/A.",
    "cells_surplus": "A row of a file has more cells than there are headers.",
    "argument_type": "An argument is not of the type that is asked for.",
    "column_chunks": "A column is in several pieces where one is needed.",
    "column_duplicate": "A table has two columns of the same name.",
    "column_missing": "A required column is not there.",
    "column_reserved": "A column has a name that the answer needs.",
    "column_type": "A column has a type that cannot be read as what it should hold.",
    "date_range": "A date is not between the years 1 and 9999.",
    "date_with_time": "A day has a time of day.",
    "days_range": "A number of days is negative or longer than time.",
    "fill_unknown": "A line names a fill rule that the policy does not have.",
    "id_duplicate": "A value that must be unique comes more than once.",
    "key_range": "Integers that should be the same kind of key do not fit in one 64-bit type.",
    "mixed_keys": "Strings in one table should match integers in another.",
    "money_out_of_range": "An amount of money is negative or too large.",
    "money_too_fine": "An amount of money has more decimal places than are held.",
    "policy_column_missing": "A policy names a column that the table does not have.",
    "policy_column_type": "A policy compares columns or constants that cannot be compared.",
    "policy_too_wide": "A policy distinguishes more combinations of values than fit a table.",
    "qty_out_of_range": "A quantity is below the least that makes sense.",
    "qty_step": "A quantity is no whole number of the units that are counted.",
    "reserved_above_on_hand": "More is reserved than is on hand.",
    "row_count": "Columns of one table differ in length.",
    "serial_duplicate": "A serial is there twice for one SKU.",
    "serial_quantity": "A serial has a quantity other than 0 and 1.",
    "table_unreadable": "What was given is no table, or could not be read as one.",
    "text_nul": "A text contains a NUL character.",
    "too_many_rows": "There are more rows than one call takes.",
    "unit_unknown": "A row names a unit of measure that the policy does not have.",
    "value_empty": "A text that must say something is empty.",
    "value_null": "A value is missing where one is needed.",
    "value_overflow": "A value or a sum does not fit in the range that is supported.",
    "value_text": "A text is not what its column holds, such as letters for a number.",
    # the ledger
    "allocation_unknown": "There is no open allocation of this id.",
    "asset_taken": "An asset is not free, or not any more, for the order.",
    "asset_unfit": "An asset does not fit its order.",
    "blocks_held": "Goods cannot do this while they are blocked.",
    "device_unfit": "A device cannot do this, for every reason that is told.",
    "document_exists": "There is a document of this number already.",
    "document_unknown": "There is no such document, or it is not yours.",
    "contact_untold": "Someone who has recalled goods was not told yet.",
    "goods_ambiguous": "More than one thing is meant.",
    "goods_unknown": "There is nothing of this description, or it is not yours.",
    "hold_open": "Goods that are only held cannot go.",
    "hold_over": "A hold was confirmed before, or its time is over.",
    "key_reused": "An idempotency key was used before, for something else.",
    "line_changed": "A demand line was recorded before with another SKU, quantity, order or ratio of a substitute.",
    "meter_backwards": "A meter shows less than before, and nobody says why.",
    "note_missing": "The transaction needs a note.",
    "number_taken": "A number belongs, or belonged, to another unit.",
    "outcome_unknown": "The store failed while committing: it may or may not have happened.",
    "return_unfit": "A unit cannot come back so, or is not at this step of its return.",
    "reversal_impossible": "A transaction cannot be reversed, or was already.",
    "client_outdated": "An app is too old to change anything.",
    "scan_confirmed": "A scan cannot be undone any more.",
    "scan_excess": "More is scanned than was ordered.",
    "scan_pending": "Packing is confirmed before everything is scanned, and every box confirmed.",
    "scan_repeated": "A unit was scanned for the order before.",
    "scan_mismatch": "What was scanned is not what was promised.",
    "service_enabled": "A service is enabled on the device.",
    "sku_unknown": "There is no SKU of this name.",
    "stock_short": "Less is there, or free, than is to be taken.",
    "step_unknown": "No flow has a step, or a question, of this name.",
    "step_impossible": "A document cannot take this step in its state.",
    "store_busy": "Others held the store for too long.",
    "store_failed": "The store failed.",
    "store_full": "The disk of the store is full.",
    "store_lost": "The store cannot be reached.",
    "store_newer": "The store is kept by a newer version of this package.",
    "store_unsafe": "The store cannot be trusted to keep what it acknowledges.",
    "store_url": "An address names no store.",
    "tracking_mismatch": "A line does not fit how its SKU is tracked.",
    "transaction_unknown": "There is no transaction of this number or type.",
    # flows
    "delivery_failed": "A receiver did not take an event.",
    "limit_exceeded": "More is asked for than the limit leaves, and nobody may override it so.",
    "line_undecided": "A line was neither approved nor rejected.",
    "rate_missing": "A part has no rate to be shipped with.",
    "site_unknown": "There is no partner or warehouse of this name, or it is not yours.",
    # this package
    "internal": "A defect of this package.",
}
"""What each code means, in one sentence. A code never changes its meaning; `docs/errors.md` says what to do."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input.

    Attributes:
        code: Stable, snake_case; a key of `CODES`.
        message: What is wrong, in one sentence for a person.
        table: The table or document it is in (`stock`, `demand`, `policy`, `limits`, …); "" when it is in none.
        column: The column, or the dotted path of a setting; "" when it concerns the whole table.
        row: The row number in the table as given, from 0; None when it concerns no single row.
        value: The offending value as text, cut to 80 characters; None when there is none.
        hint: What to do next; "" when there is nothing to add.
    """

    code: str
    message: str
    table: str = ""
    column: str = ""
    row: int | None = None
    value: str | None = None
    hint: str = ""

    def __post_init__(self) -> None:
        # Half a character, as what is wrong may have, could be neither printed nor written to a file.
        for name in ("message", "table", "column", "value", "hint"):
            text = getattr(self, name)
            if text is not None and not text.isascii():
                object.__setattr__(self, name, text.encode("utf-8", "backslashreplace").decode())

    def __str__(self) -> str:
        place = ".".join(part for part in (self.table, self.column) if part)
        if self.row is not None:
            place = f"{place}[{self.row}]"
        text = f"{self.code}: {place + ': ' if place else ''}{self.message}"
        if self.value is not None:
            text += f" (value: {self.value})"
        return f"{text}. {self.hint}" if self.hint else text


class AllocatorError(Exception):
    """Any error that this package raises on purpose.

    Attributes:
        code: The code of the first problem.
        problems: All problems that were found, in the order table, column, row.
    """

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        if not self.problems:
            raise ValueError("an AllocatorError needs at least one problem")
        self.code: str = self.problems[0].code
        shown = [str(problem) for problem in self.problems[:SHOWN_MAX]]
        if len(self.problems) > SHOWN_MAX:
            shown.append(f"… and {len(self.problems) - SHOWN_MAX} more")
        head = "" if len(shown) == 1 else f"{len(self.problems)} problems\n"
        super().__init__(head + "\n".join(shown))

    def __reduce__(self) -> tuple[type[AllocatorError], tuple[Sequence[Problem]]]:
        """So that it gets through between processes with its problems."""
        return type(self), (self.problems,)

    def frame(self) -> pl.DataFrame:
        """The problems as a table: one row per problem, columns as the attributes of `Problem`."""
        import polars as pl  # noqa: PLC0415 - an error must be importable and printable without polars

        fields = ("code", "table", "column", "row", "value", "message", "hint")
        schema = dict.fromkeys(fields, pl.String) | {"row": pl.Int64}
        return pl.DataFrame([[getattr(p, f) for f in fields] for p in self.problems], schema=schema, orient="row")


class InputError(AllocatorError, ValueError):
    """A table, file or argument that makes no sense. Nothing was done."""


class PolicyError(AllocatorError, ValueError):
    """A policy, lifecycle or limits document that makes no sense, or does not fit the tables it is used with."""


class FileError(AllocatorError, OSError):
    """A file that cannot be read or written."""


class StoreError(AllocatorError, OSError):
    """The database of a ledger failed, is busy or cannot be trusted. The code tells whether anything was done."""


class StaleError(AllocatorError, RuntimeError):
    """What a plan was made on has changed in the meantime. Nothing was done."""


class InternalError(AllocatorError, RuntimeError):
    """A defect of this package: please report it. Nothing was done."""
