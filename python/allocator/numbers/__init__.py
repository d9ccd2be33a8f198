"""The numbers that units carry: formats, ranges, check digits, identifiers, labels, and recalls that name them.

Pure functions on columns: where a sequence stands and which numbers are taken is the ledger's to know.
"""

from allocator.numbers.formats import (
    NumberParts,
    check_numbers,
    counter_period,
    generate_numbers,
    number_parts,
    parse_number,
)
from allocator.numbers.gs1 import read_labels
from allocator.numbers.identifiers import check_identifiers
from allocator.numbers.impact import match_recall
from allocator.numbers.ranges import expand_ranges, register_numbers
from allocator.numbers.recall import parse_recall

__all__ = [
    "NumberParts",
    "check_identifiers",
    "check_numbers",
    "counter_period",
    "expand_ranges",
    "generate_numbers",
    "match_recall",
    "number_parts",
    "parse_number",
    "parse_recall",
    "read_labels",
    "register_numbers",
]
