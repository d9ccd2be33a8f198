"""Changes of status, the slow and obvious way: one dictionary per lifecycle, one row at a time.

Shares nothing with `allocator.transitions`: it reads the lifecycle as the plain data that a document holds.
"""


def verdict(lifecycle: dict, row: dict) -> str:
    """The gravest thing that is wrong with one change, or `allowed`."""
    statuses = {status["name"]: status.get("state", status["name"]) for status in lifecycle["statuses"]}
    by_state = lifecycle.get("between") == "states"
    subject = {name: state if by_state else name for name, state in statuses.items()}
    start, end = row.get("from"), row.get("to")
    if end not in statuses or (start is not None and start not in statuses):
        return "status_unknown"
    if start is None:
        begins = {subject[name] for name in [lifecycle["default"], *lifecycle.get("initial", [])]}
        return "allowed" if subject[end] in begins else "status_not_initial"
    for rule in lifecycle.get("transitions", []):
        if subject[start] not in rule["from"]:
            continue
        if rule["to"] == "$previous":
            entries = [other for other in lifecycle["transitions"] if other["to"] == subject[start]]
            ends = {name for other in entries for name in other["from"]} - {subject[start]}
        else:
            ends = {rule["to"]}
        if subject[end] in ends:
            return _needs(rule, row, subject)
    return "allowed" if start != end and subject[start] == subject[end] else "transition_unlisted"


def _needs(rule: dict, row: dict, subject: dict) -> str:
    if rule["to"] == "$previous":
        if row.get("previous") not in subject:
            return "previous_missing"
        if subject[row["previous"]] != subject[row["to"]]:
            return "previous_differs"
    if rule.get("roles") and row.get("role") not in rule["roles"]:
        return "role_missing"
    if rule.get("approval") and not row.get("approval"):
        return "approval_missing"
    if rule.get("reasons") and row.get("reason") is None:
        return "reason_missing"
    if rule.get("reasons") and row["reason"] not in rule["reasons"]:
        return "reason_not_allowed"
    if rule.get("documents") and row.get("document") not in rule["documents"]:
        return "document_missing"
    return "photo_missing" if rule.get("photo") and not row.get("photo") else "allowed"


def verdicts_along(lifecycle: dict, rows: list[dict]) -> list[str]:
    """The verdict of each row, where rows of one unit follow each other."""
    status: dict = {}
    found = []
    for row in rows:
        said = verdict(lifecycle, row)
        if said != "status_unknown" and status.get(row["unit"], row.get("from")) != row.get("from"):
            said = "history_broken"
        if said == "allowed":
            status[row["unit"]] = row["to"]
        found.append(said)
    return found
