"""The docs can be followed: every page is listed, every link and every named test exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NUMBERS = {"SP": 25, "SN": 22, "WD": 21, "FA": 12, "OS": 10}


def test_every_page_is_listed_in_the_index() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    missing = [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and f"({page.name})" not in index]
    assert not missing


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = []
    for page in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


def test_every_requirement_has_its_row() -> None:
    rows = re.findall(r"^\| ([A-Z]{2})-(\d+) \|", (DOCS / "requirements.md").read_text(encoding="utf-8"), re.M)
    assert rows == [(system, str(n)) for system, count in NUMBERS.items() for n in range(1, count + 1)]


def test_a_requirement_that_says_where_it_is_names_a_test_that_exists() -> None:
    for line in (DOCS / "requirements.md").read_text(encoding="utf-8").splitlines():
        if re.match(r"\| [A-Z]{2}-\d+ \|", line):
            where, test = (cell.strip() for cell in line.strip("|").split("|")[2:4])
            assert bool(where) == bool(test), line
            assert not test or (ROOT / test.split("::", maxsplit=1)[0]).is_file(), line
