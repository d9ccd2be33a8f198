"""Limits, done slowly and obviously: one key at a time, plain Python, no code of the package."""

from fractions import Fraction


def counts(stock, on_hand, as_of):
    """What a stock row is to its limit: counted, expected, or left out and why."""
    if stock["status"] not in on_hand["statuses"] or stock["condition"] not in on_hand["conditions"]:
        return "not_counted_status"
    if stock["blocked"] and not on_hand["blocked"]:
        return "not_counted_blocked"
    if stock["expires_on"] is not None and not on_hand["expired"]:
        first_day_of_no_use = stock["expires_on"].toordinal() + (1 if on_hand["usable"] == "through" else 0)
        if as_of.toordinal() >= first_day_of_no_use:
            return "not_counted_expired"
    if stock["received_on"] is not None and stock["received_on"] > as_of:
        return "in_transit"
    return "on_hand"


def rule_for(key, group, rules):
    """Of the rules that fit the key, the one that names the SKU; among those the one that names the group; …"""
    facts = {"bu": key[0], "asp": key[1], "sku": key[2], "sku_group": group}
    fitting = [r for r in rules if all(r[name] is None or r[name] == facts[name] for name in facts)]
    for name in ("sku", "sku_group", "asp", "bu"):
        naming = [r for r in fitting if r[name] is not None]
        fitting = naming or fitting
    assert len(fitting) <= 1, "the strategies make no equally specific rules"
    return fitting[0] if fitting else None


def packs(qty, pack, rounding):
    """The multiple of `pack` that the rounding means, found by trying all of them."""
    multiples = [n * pack for n in range(qty // pack + 2)]
    if rounding == "never_above":
        return max(m for m in multiples if m <= qty)
    if rounding == "always_reach":
        return min(m for m in multiples if m >= qty)
    return min(multiples, key=lambda m: (abs(m - qty), m))


def state(key, world, limits, as_of):
    """All figures of one key."""
    sku = next((s for s in world["skus"] if s["sku"] == key[2]), {"sku_group": None, "unit_cost": None, "pack": None})
    left_out = ("not_counted_status", "not_counted_blocked", "not_counted_expired")
    out = dict.fromkeys(("on_hand", "reserved", "in_transit", "requested_open", *left_out), 0)
    position, value = 0, Fraction(0)

    def add(qty, cost):
        nonlocal position, value
        position += qty
        value += qty * Fraction(cost if cost is not None else sku["unit_cost"] or 0)

    for row in world["stock"]:
        if (row["bu"], row["asp"], row["sku"]) == key:
            kind = counts(row, limits["on_hand"], as_of)
            out[kind] += row["qty_on_hand"]
            if kind in ("on_hand", "in_transit"):
                out["reserved"] += row["qty_reserved"]
                add(
                    row["qty_on_hand"] - (0 if limits["on_hand"]["reserved"] else row["qty_reserved"]), row["unit_cost"]
                )
    for table, column in (("in_transit", "in_transit"), ("open_requests", "requested_open")):
        for row in world[table]:
            if (row["bu"], row["asp"], row["sku"]) == key:
                out[column] += row["qty"]
                add(row["qty"], row["unit_cost"])
    rule = rule_for(key, sku["sku_group"], limits["rules"])
    out |= {"position": position, "rule": rule and rule["name"]}
    pack = (rule and rule["pack"]) or sku["pack"] or 1
    rounding = (rule and rule["rounding"]) or limits["rounding"]
    rooms = []
    if rule and rule["units_max"] is not None:
        rooms.append(rule["units_max"] - position)
    if rule and rule["value_max"] is not None:
        rooms.append((Fraction(rule["value_max"]) - value) // Fraction(sku["unit_cost"]))
    out["headroom"] = min(rooms) if rooms else None
    out["room"] = packs(max(out["headroom"], 0), pack, rounding) if rooms else 0
    out["pack"] = pack
    out["triggered"] = rule is not None and (rule["trigger"] is None or position <= rule["trigger"])
    return out


def propose(key, world, limits, as_of):
    """The figures of one key, and what to ask for."""
    out = state(key, world, limits, as_of)
    return out | {"qty_proposed": out["room"] if out["triggered"] else 0}


def decide(requests, world, limits, as_of):
    """One answer per request, in order of service."""
    left, answers = {}, []
    late = (True, 0)
    for request in sorted(
        requests,
        key=lambda r: (r["priority"], (False, r["requested_at"]) if r["requested_at"] else late, r["request_id"]),
    ):
        key = (request["bu"], request["asp"], request["sku"])
        figures = state(key, world, limits, as_of)
        qty = request["qty"]
        if figures["rule"] is None and limits["without_rule"] == "refuse":
            answers.append((request["request_id"], "refused", 0, "no_rule"))
            continue
        whole = qty - qty % figures["pack"]
        if limits["above_limit"] == "refuse" and whole != qty:
            answers.append((request["request_id"], "refused", 0, "broken_pack"))
            continue
        room = left.setdefault(key, figures["room"] if figures["rule"] else 10**18)
        granted, reason = whole, None if whole == qty else "broken_pack"
        if whole > room:
            role, why = request["override_role"], (request["override_reason"] or "").strip()
            if role is None:
                granted = room if limits["above_limit"] == "reduce" else 0
                reason = "above_limit"
            elif limits["override"] is None or role not in limits["override"]["roles"]:
                granted, reason = 0, "override_not_allowed"
            elif limits["override"]["reason_required"] and not why:
                granted, reason = 0, "override_without_reason"
            else:
                reason = "override"
        left[key] = max(room - granted, 0)
        word = "allowed" if granted == qty else "reduced" if granted else "refused"
        answers.append((request["request_id"], word, granted, reason))
    return answers
