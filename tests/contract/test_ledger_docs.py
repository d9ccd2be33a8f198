"""The page about the ledger shows every type of transaction as it is. Run as a program, this file writes it anew."""

from pathlib import Path

from allocator.ledger.balances import MEASURES
from allocator.ledger.schema import METADATA
from allocator.ledger.types import ORIGINS, TYPES
from allocator.ledger.views import VIEWS

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"
MARK = "<!-- From here on written by tests/contract/test_ledger_docs.py. -->\n"


def generated() -> str:
    rows = ["| type | means | from | to | needs | lines may say | blocked goods |", f"|{' --- |' * 7}"]
    for each in TYPES.values():
        names = ", ".join(f"`{name}`" for name in (*each.sets, *each.tells))
        may = "may" if each.blocked else "may not"
        sides = ", ".join(each.takes), each.gives or ""
        cells = (f"`{each.name}`", each.meaning, *sides, ", ".join(each.needs), names, may)
        rows.append("| " + " | ".join(cells) + " |")
    origins = ["| received from | needs |", "| --- | --- |"]
    origins += [f"| `{name}` | {', '.join(needs)} |" for name, needs in ORIGINS.items()]
    table = "\n".join(rows).replace("|  |", "| |").replace("|  |", "| |")
    return MARK + "\n" + table + "\n\nA receipt says where goods come from (`origin`):\n\n" + "\n".join(origins) + "\n"


def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_page_shows_every_type_of_transaction_as_it_is() -> None:
    written = page().partition(MARK)
    assert written[1] + written[2] == generated(), f"run: python {Path(__file__).name}"


def test_the_page_names_every_table_view_and_measure() -> None:
    assert not [name for name in (*METADATA.tables, *VIEWS, *MEASURES) if f"`{name}`" not in page()]


if __name__ == "__main__":
    PAGE.write_text(page().partition(MARK)[0] + generated(), encoding="utf-8")
