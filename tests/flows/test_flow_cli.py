"""A storekeeper, an operations team and a warehouse at the command line, without a line of code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from allocator.cli.app import program
from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from allocator.model.network import PartnerSettings
from flows import network

URL = "sqlite:///stock.db"
SAM, OLGA, WALT, DANA = "sam:storekeeper@ASP-1", "olga:operations", "walt:warehouse", "dana:service"


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command in a folder of its own, with a ledger that is set up: exit code, what it says, and complains."""
    monkeypatch.chdir(tmp_path)
    with Ledger.open(URL) as ledger:
        network.set_up(ledger)

    def run(*args: str) -> tuple[int, str, str]:
        code = program(args)
        return code, *capsys.readouterr()

    yield run
    with Ledger.open(URL) as ledger:
        assert verify(ledger).clean


def answer(told, *args: str):
    code, out, err = told(*args, "--json")
    assert (code, err) == (0, ""), (out, err)
    return json.loads(out)


def do(told, step: str, who: str, **said: object):
    args = [f"-a{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in said.items()]
    return answer(told, "flow", "do", URL, step, "--as", who, *args)


def test_a_request_goes_from_asking_to_the_receipt_and_its_papers(told, tmp_path: Path) -> None:
    lines = '[{sku = "valve", qty = 3}, {sku = "pump", qty = 1}]'
    (tmp_path / "request.toml").write_text(f'kind = "base stock"\nlines = {lines}\n')
    ask = ("flow", "do", URL, "raise_request", "request.toml", "--as", SAM, "--key", "k")
    number = answer(told, *ask)["number"]
    assert answer(told, *ask)["number"] == number
    assert [row["step"] for row in answer(told, "flow", "board", URL, "--as", OLGA)["rows"]] == ["decide", "withdraw"]
    do(told, "decide_request", OLGA, request=number, decisions=[{"line": 1, "qty": 3}, {"line": 2, "qty": 1}])
    do(told, "allocate_request", WALT, request=number)
    do(told, "pick_request", WALT, request=number)
    assert told("paper", URL, number, "-o", "picks.pdf", "--as", WALT)[0] == 0
    shipment = do(told, "ship_request", WALT, request=number, carrier="DHL", references={"SODO": "8000"})["number"]
    counted = [{"sku": "valve", "qty": 2}, {"serial": "P-0"}]
    receipt = do(told, "receive_shipment", SAM, shipment=shipment, counted=counted)["number"]
    job = {"customer": "Bakery", "service_order": "SR-1", "party": "ASP-1"}
    indent = do(told, "raise_indent", DANA, lines=[{"sku": "valve", "qty": 1}], **job)["number"]
    do(told, "allocate_indent", SAM, indent=indent)
    challan = do(told, "issue_challan", SAM, indent=indent, holder="tim")
    for each in (receipt, challan["number"], challan["reverse"]):
        code, out, err = told("paper", URL, each, "-o", f"{each}.pdf", "--as", SAM)
        assert (code, err) == (0, ""), err
        assert (tmp_path / f"{each}.pdf").read_bytes()[:5] == b"%PDF-", out
    assert told("paper", URL, shipment, "-o", "s.pdf", "--as", WALT, "--currency", "EUR")[0] == 0
    back = do(told, "raise_return", SAM, lines=[{"sku": "valve", "why": "unused"}])["number"]
    do(told, "decide_return", OLGA, request=back, decisions=[{"line": 1, "qty": 1}])
    returned = do(told, "ship_return", SAM, request=back, carrier="DHL")["number"]
    assert told("paper", URL, returned, "-o", "r.pdf", "--as", SAM)[0] == 0


def test_people_read_what_waits_and_what_a_document_went_through(told) -> None:
    do(told, "raise_request", SAM, lines=[{"sku": "valve", "qty": 3}])
    code, out, _ = told("flow", "board", URL, "--as", OLGA)
    assert code == 0 and "decide" in out and "PR-000001" in out
    code, out, _ = told("flow", "document", URL, "PR-000001", "--as", SAM)
    assert code == 0
    for words in ("state: requested", "valve", "decide", "operations", "sam"):
        assert words in out
    seen = answer(told, "flow", "document", URL, "PR-000001", "--as", SAM)
    assert [each["step"] for each in seen["next"]] == ["decide", "withdraw"]
    assert seen["lines"][0]["qty"] == "3"
    code, out, _ = told("flow", "events", URL)
    assert code == 0 and "part request" in out
    code, out, _ = told("flow", "dashboard", URL, "--as", OLGA)
    assert code == 0 and "Msl cover" in out
    assert set(answer(told, "flow", "dashboard", URL, "--as", SAM)) >= {"stock", "leakage"}
    rows = answer(told, "flow", "ask", URL, "stock_view", "--as", OLGA)["rows"]
    assert {row["site"] for row in rows} == {"Central"}
    code, out, _ = told("flow", "ask", URL, "leakage", "--as", SAM)
    assert (code, out.strip()) == (0, "leakage: nothing.")


def test_who_does_what_is_told_in_words(told) -> None:
    """It stood there as code: operators: {'picking': 'pat'}."""
    line = '-alines=[{"sku": "valve", "qty": 1}]'
    placed = ("flow", "do", URL, "scanning.place_order", "--as", DANA, "-acustomer=Metro", "-aplace=WH", line)
    number = answer(told, *placed)["number"]
    named = ("-apicking=pat", "-apacking=pam")
    code, out, _ = told("flow", "do", URL, "assign_operators", "--as", "sue:supervisor", f"-aorder={number}", *named)
    assert code == 0 and "operators: picking=pat, packing=pam" in out


@pytest.mark.parametrize("width", [100, 120, 200])
def test_the_dashboard_is_read_on_a_screen_of_any_width(told, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """The limits had 26 columns, cut off at the right, and names were broken in two."""
    with Ledger.open(URL) as ledger:
        network.stocked(ledger, [{"sku": "valve", "qty": 12}, {"sku": "seal", "qty": 100}])
        network.shipped(ledger, [{"sku": "valve", "qty": 3}])
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, err = told("flow", "dashboard", URL, "--as", OLGA)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert max(map(len, lines)) <= width
    stock, cover = out.split("Ageing")[0], out.split("Msl cover")[1].split("Fill rate")[0]
    assert len(re.findall(r"^ ?Central ", stock, re.MULTILINE)) == 4
    for figures in (
        ["ASP-1", "seal", "all", "100", "100", "0", "0", "at_limit", "1"],
        ["ASP-1", "valve", "valves", "20", "12", "3", "5", "5", "proposed", "0.60"],
    ):
        rows = [[word for word in line.split() if word != "0"] for line in cover.splitlines()]
        assert [figure for figure in figures if figure != "0"] in rows, cover
    code, out, _ = told("flow", "ask", URL, "msl_cover", "--as", OLGA)
    assert code == 0 and max(map(len, out.splitlines())) <= width
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = told("flow", "dashboard", URL, "--as", OLGA)
    assert max(map(len, out.splitlines())) <= 60
    assert "cover" in out.replace("\n", ""), "what has no room is broken, and not cut off"
    assert len(answer(told, "flow", "ask", URL, "msl_cover", "--as", OLGA)["rows"][0]) == 27, "JSON has all"


def test_every_step_says_what_it_is_told(told) -> None:
    code, out, _ = told("flow", "steps")
    assert code == 0 and "partner.raise_request" in out and "question" in out
    code, out, _ = told("flow", "steps", "raise_request")
    assert code == 0 and "override_reason" in out and "ledger:" not in out
    assert re.search(r"Who: .*ervice partner|Who: .*partner", out)
    assert re.search(r"lines +lines +yes +", out), "each argument stands with what it is"
    assert "allocator flow do URL raise_request --as NAME:ROLE[@PARTY] -a lines=…" in out
    assert answer(told, "flow", "steps", "leakage")["name"] == "partner.leakage"


def test_settings_and_rules_come_from_files(told, tmp_path: Path) -> None:
    (tmp_path / "network.toml").write_text(PartnerSettings(**network.SETTINGS).dumps("toml"))
    assert told("flow", "settings", URL, "partner", "network.toml", "--as", "ada:administrator")[0] == 0
    (tmp_path / "rules.toml").write_text(
        '[[rules]]\nname = "r"\nflow = "part request"\nstep = "raise"\ndo = "allocate_request"\nrole = "warehouse"\n'
        'arguments = { request = "$number" }\n'
    )
    assert told("flow", "settings", URL, "automation", "rules.toml", "--as", "ada:administrator")[0] == 0
    do(told, "raise_request", SAM, lines=[{"sku": "valve", "qty": 3}])
    (row,) = answer(told, "flow", "automate", URL)["rows"]
    assert (row["done"], row["number"]) == (False, "PR-000001")
    assert "step_impossible" in row["problem"]
    (tmp_path / "wrong.toml").write_text('[[rules]]\nname = "r"\nflow = "x"\nstep = "y"\ndo = "z"\nrole = "w"\n')
    code, _, err = told("flow", "settings", URL, "automation", "wrong.toml", "--as", "ada:administrator")
    assert code == 2 and "rules.0.flow" in err and "rules.0.do" in err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("flow", "do", URL, "raise_requst", "none.toml", "--as", "sam"),
         ("step_unknown", "raise_request", "file_missing", "--as")),
        (("flow", "do", URL, "raise_request", "-alines", "-ax={", "--as", SAM),
         ("no name with a value", "--arg x", "document_syntax")),
        (("flow", "do", URL, "raise_request", "-aline=1", "-akind=nothing", "--as", SAM),
         ("setting_unknown", "argument_missing", "argument_value", "arguments.kind")),
        (("flow", "do", URL, "decide_request", "-arequest=PR-9", '-adecisions=[{"line": 1, "qty": 1}]', "--as", OLGA),
         ("document_unknown",)),
        (("flow", "do", URL, "decide_request", "-arequest=PR-9", '-adecisions=[{"line": 1, "qty": 1.5}]', "--as", SAM),
         ("role_missing",)),
        (("flow", "board", URL, "--as", ":"), ("a name and a role",)),
        (("flow", "board", "sqlite:///nothing.db", "--as", SAM), ("file_missing",)),
        (("flow", "document", URL, "PR-1", "--as", SAM), ("document_unknown",)),
        (("flow", "steps", "raise"), ("step_unknown",)),
        (("flow", "settings", URL, "partner", "none.toml", "--as", "ada"), ("--as", "none.toml")),
        (("flow", "ask", URL, "raise_request", "--as", SAM), ("step_unknown",)),
        (("paper", URL, "PR-1", "-o", "x.pdf", "--as", SAM), ("document_unknown",)),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_table(told, args: tuple[str, ...], words: tuple[str, ...]) -> None:
    code, out, err = told(*args)
    assert (code, out) == (2, "")
    assert "nothing was done" in err
    flat = " ".join(err.split())
    for word in words:
        assert word in flat


@pytest.mark.parametrize("text", ["{", "[1]", "7", '{"a": NaN', "lines = ["])
def test_a_file_of_arguments_that_is_none_is_refused(told, tmp_path: Path, text: str) -> None:
    for name in ("said.json", "said.toml"):
        (tmp_path / name).write_text(text)
        code, _, err = told("flow", "do", URL, "raise_request", name, "--as", SAM)
        assert code == 2
        assert "document_syntax" in err or "argument_missing" in err


def problems(told, *args: str) -> list[tuple[str, str, int | None]]:
    code, out, _ = told(*args, "--json")
    assert code == 2
    return [(each["code"], f"{each['table']}.{each['column']}", each["row"]) for each in json.loads(out)["problems"]]


def test_a_value_that_cannot_be_read_is_told_once_where_it_stands(told) -> None:
    def tried(step: str, who: str, *args: str) -> list[tuple[str, str, int | None]]:
        return problems(told, "flow", "do", URL, step, "--as", who, *(f"-a{each}" for each in args))

    assert tried("raise_request", SAM, 'lines=[{"sku": "valve", "qty": "three"}, {"qty": 2}]') == [
        ("value_text", "lines.qty", 0), ("value_null", "lines.sku", 1),
    ]  # fmt: skip
    number = do(told, "raise_request", SAM, lines=[{"sku": "valve", "qty": 3}])["number"]
    request = f"request={number}"
    assert tried("decide_request", OLGA, request, 'decisions=[{"line": 1, "qty": "x"}]') == [
        ("value_text", "decisions.qty", 0)
    ]
    assert tried("decide_request", OLGA, request, 'decisions=[{"line": 7, "qty": 1}, {"line": 1, "qty": "0.5"}]') == [
        ("line_unknown", "decisions.line", 0), ("qty_step", "decisions.qty", 1),
    ]  # fmt: skip
    do(told, "decide_request", OLGA, request=number, decisions=[{"line": 1, "qty": 3}])
    do(told, "allocate_request", WALT, request=number)
    do(told, "pick_request", WALT, request=number)
    shipment = do(told, "ship_request", WALT, request=number, carrier="DHL")["number"]
    counted = [{"sku": "valve", "qty": 2}, {"sku": "vlave", "qty": 1}, {"sku": "seal", "qty": "0.5"}, {"qty": 1},
               {"serial": "Z", "sku": "pmup"}]  # fmt: skip
    assert tried("receive_shipment", SAM, f"shipment={shipment}", f"counted={json.dumps(counted)}") == [
        ("sku_unknown", "counted.sku", 1), ("qty_step", "counted.qty", 2), ("value_null", "counted.sku", 3),
        ("sku_unknown", "counted.sku", 4),
    ]  # fmt: skip


def test_a_hint_names_the_sku_or_the_step_that_may_be_meant(told) -> None:
    _, out, _ = told("flow", "do", URL, "raise_request", "--as", SAM, '-alines=[{"sku": "pmup", "qty": 1}]', "--json")
    assert "'pump'" in json.loads(out)["problems"][0]["hint"]
    _, out, _ = told("flow", "do", URL, "inward", "--as", SAM, "--json")
    assert "partner.inward_defectives" in json.loads(out)["problems"][0]["hint"]


def test_what_is_named_by_an_argument_is_told_at_the_argument(told) -> None:
    with Ledger.open(URL) as ledger:
        ledger.define([{"sku": "skip", "tracking": "serial", "lifecycle": "asset"}], actor="ada")
    order = do(told, "order_asset", "olive:office", sku="skip", site="Mill")["number"]
    args = ("flow", "do", URL, "reserve_asset", "--as", "dan:driver", f"-aorder={order}", "-aasset=K-99")
    assert problems(told, *args) == [("goods_unknown", ".asset", None)]
    subscription = do(told, "open_subscription", "dana:service", customer="Metro")["number"]
    args = ("flow", "do", URL, "add_device", "--as", DANA, f"-asubscription={subscription}", "-aserial=C-77")
    assert problems(told, *args) == [("goods_unknown", ".serial", None)]


def test_the_step_that_is_refused_is_not_among_the_next_ones(told) -> None:
    with Ledger.open(URL) as ledger:
        ledger.define([{"sku": "skip", "tracking": "serial", "lifecycle": "asset"}], actor="ada")
    order = do(told, "order_asset", "olive:office", sku="skip", site="Mill")["number"]
    _, out, _ = told("flow", "do", URL, "remove_asset", "--as", "dan:driver", f"-aorder={order}", "--json")
    hint = json.loads(out)["problems"][0]["hint"]
    assert "deliver (driver)" in hint
    assert "remove" not in hint
