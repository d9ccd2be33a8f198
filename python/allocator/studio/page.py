"""The page: a marimo app, laid out and nothing else; `desk` does the work.

Each cell makes what the cells below it need; marimo runs again what depends on a control that moved.
"""

import marimo

app = marimo.App(width="full", app_title="allocator studio")


@app.cell
def _():
    from functools import partial

    import marimo as mo

    from allocator.studio import desk, look, serve

    return desk, look, mo, partial, serve


@app.cell
def _(look, mo):
    mo.Html(look.STYLE + look.HEADER)
    return


# --- tables and policy ---


@app.cell
def _(desk, mo, serve):
    given = serve.GIVEN
    options = [*([] if given is None else [serve.FROM_COMMAND_LINE]), *desk.sources()]
    source = mo.ui.dropdown(options=options, value=options[0], label="Tables")
    kinds = [".parquet", ".csv", ".arrow", ".ndjson"]
    stock_file = mo.ui.file(filetypes=kinds, label="Choose the stock file")
    demand_file = mo.ui.file(filetypes=kinds, label="Choose the demand file")
    return demand_file, given, source, stock_file


@app.cell
def _(demand_file, desk, given, mo, partial, serve, source, stock_file):
    with mo.status.spinner(title="Reading the tables", remove_on_exit=True):
        if source.value == serve.FROM_COMMAND_LINE:
            tables, table_problems = given, []
        else:
            files = [(each.name() or "", each.contents() or b"") for each in (stock_file, demand_file)]
            tables, table_problems = desk.attempt(partial(desk.load, source.value, files))
    return table_problems, tables


@app.cell
def _(desk, mo, tables):
    as_of = mo.ui.date(value=None if tables is None else tables.as_of, label="As of")
    columns = [] if tables is None else tables.segments
    by = mo.ui.multiselect(options=columns, value=desk.usual_segments(columns), label="Segments")
    preset = mo.ui.dropdown(options=desk.policies(), value=desk.AS_GIVEN, label="Policy")
    return as_of, by, preset


@app.cell
def _(desk, mo, preset, tables):
    policy = mo.ui.code_editor(
        value=desk.policy_text(tables, preset.value), language="toml", min_height=140, max_height=300, debounce=700
    )
    return (policy,)


@app.cell
def _(as_of, by, demand_file, desk, look, mo, policy, preset, source, stock_file, tables):
    _files = [mo.hstack([stock_file, demand_file], justify="start", wrap=True)] if source.value == desk.FILES else []
    _known = [] if tables is None else [mo.md(f"{tables.demand.height:,} lines, {tables.stock.height:,} stock rows")]
    _all = [mo.hstack([source, as_of, by, preset], justify="start", wrap=True, gap=1), *_files, *_known]
    _rules = mo.accordion({"Policy as text": mo.vstack([mo.md(look.POLICY_HINT), policy])})
    mo.vstack([*_all, _rules], gap=0.75)
    return


@app.cell
def _(as_of, by, desk, look, mo, partial, policy, table_problems, tables):
    base, _problems = None, table_problems
    if tables is not None:
        with mo.status.spinner(title="Allocating", remove_on_exit=True):
            base, _problems = desk.attempt(partial(desk.base_of, tables, policy.value, as_of.value, by.value))
    mo.Html(look.problems(desk.problem_table(_problems), "Nothing was allocated")) if _problems else None
    return (base,)


# --- levers ---


@app.cell
def _(base, desk, look, mo):
    mo.stop(base is None)
    whose = desk.choices(base, "demand")
    which_stock = desk.choices(base, "stock")
    _slider = {"show_value": True, "full_width": True, "debounce": True}
    demand_percent = mo.ui.slider(50, 200, 5, value=100, label="Demand, in % of what is asked", **_slider)
    supply_percent = mo.ui.slider(10, 100, 5, value=100, label="Stock, in % of what is on hand", **_slider)
    days_late = mo.ui.slider(0, 60, 1, value=0, label="Days that receipts come later", **_slider)
    column = mo.ui.dropdown(options=[desk.ALL_LINES, *whose], value=desk.ALL_LINES, label="Whose demand")
    first = mo.ui.checkbox(label="They are served first")
    recall_column = mo.ui.dropdown(options=[desk.NOTHING, *which_stock], value=desk.NOTHING, label="Recall by")
    rule = mo.ui.dropdown(options=[desk.NO_RULE, *desk.RULES], value=desk.NO_RULE, label="Fair share")
    more = mo.ui.code_editor(language="toml", min_height=80, max_height=240, debounce=700, placeholder=look.MORE_HINT)
    name = mo.ui.text(value="what if", label="Name of the scenario")
    return column, days_late, demand_percent, first, more, name, recall_column, rule, supply_percent, which_stock, whose


@app.cell
def _(column, mo, recall_column, which_stock, whose):
    values = mo.ui.multiselect(options=whose.get(column.value, []), label="Which of them")
    recall = mo.ui.multiselect(options=which_stock.get(recall_column.value, []), label="Recalled")
    return recall, values


@app.cell
def _(
    column, days_late, demand_percent, desk, first, look, mo, more, name, recall, recall_column, rule, supply_percent,
    values,
):  # fmt: skip
    _wide = {"justify": "start", "wrap": True, "gap": 1}
    _who = [column] if column.value == desk.ALL_LINES else [column, values, first]
    _recalled = [recall_column] if recall_column.value == desk.NOTHING else [recall_column, recall]
    mo.vstack(
        [
            mo.Html(look.heading("Levers")),
            mo.Html(look.sliders(demand_percent, supply_percent, days_late)),
            mo.hstack([*_who, *_recalled, rule], **_wide),
            mo.accordion({"Further levers as text": mo.vstack([name, more])}),
        ],
        gap=0.75,
    )
    return


@app.cell
def _(
    base, column, days_late, demand_percent, desk, first, look, mo, more, name, partial, recall, recall_column, rule,
    supply_percent, values,
):  # fmt: skip
    _controls = desk.Controls(
        demand_percent=demand_percent.value,
        supply_percent=supply_percent.value,
        days_late=days_late.value,
        column=column.value,
        values=tuple(values.value),
        first=first.value,
        recall_column=recall_column.value,
        recall=tuple(recall.value),
        rule=rule.value,
        more=more.value,
    )
    with mo.status.spinner(title="Asking what if", remove_on_exit=True):
        scenario, _problems = desk.attempt(partial(_controls.scenario, base, name.value))
        found = None
        if scenario is not None:
            found, _problems = desk.attempt(partial(base.run, scenario))
    mo.Html(
        look.problems(desk.problem_table(_problems), "The levers say nothing that can be run")
    ) if _problems else None
    return found, scenario


# --- answers ---


@app.cell
def _(base, desk, found, look, mo):
    mo.Html(look.card_row(desk.cards(base, found)))
    return


@app.cell
def _(mo):
    line_id = mo.ui.text(label="Line", placeholder="one worth a look", debounce=True)
    # Tabs are made anew with each answer: who looks at one of them stays there.
    looked_at, look_at = mo.state("")
    return line_id, look_at, looked_at


@app.cell
def _(base, desk, found, line_id, look, look_at, looked_at, mo, partial, scenario):
    mo.stop(base is None)
    _said, _problems = desk.attempt(partial(desk.explained, base, found, line_id.value))
    _line = mo.vstack(
        [line_id, mo.Html(look.words(_said) if _said else look.problems(desk.problem_table(_problems), "No such line"))]
    )
    if found is None:
        _tabs = {
            "Measures": mo.Html(look.table(desk.base_measures(base), "measures", numbers=["Base"])),
            "Reasons": mo.Html(look.table(desk.base_reasons(base), "reasons", numbers=["Lines", "Units"])),
            "Explain": _line,
        }
        _hint = "This is the base, as it is. Move a lever above to compare."
    else:
        _numbers = ["Base", "Scenario", "Difference"]
        _movers = desk.changes(found)
        _tabs = {
            "Measures": mo.vstack(
                [
                    mo.Html(look.pictures(desk.pictures(found))),
                    mo.Html(look.table(desk.measures(found), "measures", numbers=_numbers)),
                ]
            ),
            "Lines": mo.vstack(
                [
                    mo.md(desk.told(found)),
                    mo.Html(look.table(desk.segments(found), "segments", numbers=["Lines", *_numbers])),
                    mo.Html(look.table(desk.shown_changes(found), "lines", numbers=["Asks", "Had", "Gets"])),
                ]
            ),
            "Reasons": mo.Html(look.table(desk.reasons(found), "reasons", numbers=desk.REASON_NUMBERS)),
            "Explain": _line,
            "Export": mo.vstack(
                [
                    mo.md("The scenario is a document: run it again with `allocator whatif … -s scenario.toml`."),
                    mo.hstack(
                        [
                            mo.download(
                                scenario.dumps().encode(), "scenario.toml", "application/toml", label="Scenario (TOML)"
                            ),
                            mo.download(partial(desk.as_parquet, _movers), "lines.parquet", label="Lines (Parquet)"),
                            mo.download(partial(desk.as_csv, _movers), "lines.csv", "text/csv", label="Lines (CSV)"),
                            mo.download(
                                partial(desk.as_csv, found.kpis), "measures.csv", "text/csv", label="Measures (CSV)"
                            ),
                        ],
                        justify="start",
                        wrap=True,
                    ),
                    mo.Html(look.words(scenario.dumps())),
                ]
            ),
        }
        _hint = f"{found.lines_run:,} of {base.result.lines.height:,} lines were worked out again."
    _now = looked_at() if looked_at() in _tabs else "Measures"
    # By a name of its own: marimo forgets controls that none holds.
    answers = mo.ui.tabs(_tabs, value=_now, on_change=look_at)
    mo.vstack([answers, mo.md(_hint)])
    return


if __name__ == "__main__":
    app.run()
