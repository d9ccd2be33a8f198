"""Fair shares, quotas and protection, slowly and obviously: plain Python with Fractions, no code of the package."""

from fractions import Fraction
from math import gcd


def claim(lines, method, weight):
    """What all of these lines together are to a division."""
    return {
        "weight": sum(line[weight] if weight else line["qty"] for line in lines),
        "qty": sum(line["qty"] for line in lines),
        "target": sum(line["target"] for line in lines),
        "on_hand": sum(line["on_hand"] for line in lines),
        "priority": min(line["priority"] for line in lines),
        "pack": gcd(*(line["pack"] for line in lines)),
        "method": method,
    }


def bounds_of(lines, levels):
    """The least and the most that these lines can get together: line by line, or group by group within bounds."""
    if not levels:
        most = [min(line["qty"], line["qty_max"]) // line["pack"] * line["pack"] for line in lines]
        least = [
            min(-(-line["qty_min"] // line["pack"]) * line["pack"], m) for line, m in zip(lines, most, strict=True)
        ]
        return sum(least), sum(most)
    low = high = 0
    for members in grouped(lines, levels[0]["by"]).values():
        least, most = group_bounds(members, levels)
        low, high = low + least, high + most
    return low, high


def group_bounds(members, levels):
    level = levels[0]
    least, most = bounds_of(members, levels[1:])
    bound = next((b for b in level["bounds"] if b["value"] == members[0][level["by"]]), None)
    if bound is None:
        return least, most
    pack = gcd(*(line["pack"] for line in members))
    most = min(most, most if bound["qty_max"] is None else bound["qty_max"]) // pack * pack
    return min(-(-max(least, bound["qty_min"]) // pack) * pack, most), most


def grouped(lines, column):
    groups = {}
    for line in sorted(lines, key=lambda line: (line[column], line["line_id"])):
        groups.setdefault(line[column], []).append(line)
    return groups


def exact(claim, level):
    """What a claim would get at a level, before its bounds."""
    match claim["method"]:
        case "proportional":
            return claim["weight"] * level
        case "equal_gains":
            return level
        case "equal_cover":
            return claim["target"] * level - claim["on_hand"]
        case "equal_losses":
            return claim["qty"] + level


def rises(claim):
    """Whether the level moves it at all."""
    return exact(claim, 1) != exact(claim, 0)


def split(amount, claims):
    """Whole packs for each claim, the order of `claims` breaking ties."""
    claims = [dict(c) for c in claims]
    if claims[0]["method"] == "priority":
        shares = [0] * len(claims)
        order = sorted(range(len(claims)), key=lambda n: claims[n]["priority"])
        for limit in ("low", "high"):
            for n in order:
                more = (
                    (min(claims[n][limit] - shares[n], amount - sum(shares))) // claims[n]["pack"] * claims[n]["pack"]
                )
                shares[n] += max(more, 0)
        return shares
    for c in claims:
        if not rises(c):
            c["high"] = c["low"]
    if amount >= sum(c["high"] for c in claims):
        return [c["high"] for c in claims]
    uncut = claims
    if amount < sum(c["low"] for c in claims):
        claims = [{**c, "method": "proportional", "weight": c["low"], "low": 0, "high": c["low"]} for c in claims]

    def at(level):
        return [min(max(exact(c, level), c["low"]), c["high"]) if rises(c) else c["low"] for c in claims]

    # Between two bends the total is a straight line: try every bend, then draw the line.
    bends = set()
    for c in claims:
        if rises(c):
            start, slope = exact(c, Fraction(0)), exact(c, Fraction(1)) - exact(c, Fraction(0))
            bends |= {(c["low"] - start) / slope, (c["high"] - start) / slope}
    below = max(b for b in bends if sum(at(b)) <= amount)
    above = min(b for b in bends if sum(at(b)) >= amount)
    level = below
    if sum(at(above)) > sum(at(below)):
        level += (above - below) * (amount - sum(at(below))) / (sum(at(above)) - sum(at(below)))
    fair = at(level)
    shares = [int(f // c["pack"] * c["pack"]) for f, c in zip(fair, claims, strict=True)]
    lacking = [n for n in range(len(claims)) if fair[n] > shares[n]]
    lacking.sort(key=lambda n: (-(fair[n] - shares[n]) / claims[n]["pack"], n))
    left = amount - sum(shares)
    for n in lacking:
        if claims[n]["pack"] <= left:
            shares[n], left = shares[n] + claims[n]["pack"], left - claims[n]["pack"]
    for n in [*lacking, *range(len(claims))]:
        if rises(claims[n]):
            more = min(claims[n]["high"] - shares[n], left) // claims[n]["pack"] * claims[n]["pack"]
            shares[n], left = shares[n] + more, left - more
    for n, c in enumerate(uncut):
        if rises(c):
            more = min(c["high"] - shares[n], left) // c["pack"] * c["pack"]
            shares[n], left = shares[n] + more, left - more
    return shares


def divide(amount, lines, tier, depth, shares):
    """Shares an amount among the lines of a node; how much of it was used."""
    levels = tier["levels"]
    if depth == len(levels):
        lines = sorted(lines, key=lambda line: line["line_id"])
        claims = []
        for line in lines:
            low, high = bounds_of([line], [])
            claims.append(claim([line], tier["method"], tier["weight"]) | {"low": low, "high": high})
        given = split(amount, claims)
        shares.update({line["line_id"]: share for line, share in zip(lines, given, strict=True)})
        return sum(given)
    level = levels[depth]
    groups = list(grouped(lines, level["by"]).values())
    claims = []
    for members in groups:
        low, high = group_bounds(members, levels[depth:])
        claims.append(claim(members, level["method"], level["weight"]) | {"low": low, "high": high})
    given = split(amount, claims)
    return sum(divide(g, members, tier, depth + 1, shares) for members, g in zip(groups, given, strict=True))


def share(supply, lines, tiers):
    """The share of each line: pools one by one, tiers in turn, guarantees of later tiers kept back."""
    shares = {}
    for pool in {line["pool"] for line in lines}:
        left = supply.get(pool, 0)
        members = [[line for line in lines if (line["pool"], line["tier"]) == (pool, n)] for n in range(len(tiers))]
        for n, (tier, own) in enumerate(zip(tiers, members, strict=True)):
            if not own:
                continue
            later = sum(
                bounds_of(m, t["levels"])[0] for m, t in zip(members[n + 1 :], tiers[n + 1 :], strict=True) if m
            )
            amount = max(left - later, min(left, bounds_of(own, tier["levels"])[0]))
            left -= divide(amount, own, tier, 0, shares)
    return shares


def ration(supply, lines, quotas, protections, carry_over):
    """What each line is granted: quotas as buckets in time, protection as a dict by (pool, group)."""
    left, buckets, kept = dict(supply), [dict(q) for q in quotas], [dict(p) for p in protections]
    granted = {}
    for line in sorted(lines, key=lambda line: (line["priority"], line["line_id"])):
        pool = line["pool"]
        own = next((k for k in kept if (k["pool"], k["group"]) == (pool, line["channel"])), None)
        rank = own["priority"] if own else None
        shut = sum(
            k["qty"] for k in kept if k["pool"] == pool and k is not own and (own is None or k["priority"] <= rank)
        )
        most = min(line["qty"], left.get(pool, 0) - shut)
        mine = sorted((b for b in buckets if b["group"] == line["region"]), key=lambda b: b["start"])
        now = [n for n, b in enumerate(mine) if b["start"] <= line["day"] <= b["end"]]
        usable = []
        if now:
            usable = list(reversed(mine[max(0, now[0] - carry_over) : now[0] + 1]))
            most = min(most, sum(b["qty"] for b in usable))
        most = most // line["pack"] * line["pack"]
        granted[line["line_id"]] = most
        rest = most
        for b in usable:
            rest, b["qty"] = rest - min(rest, b["qty"]), b["qty"] - min(rest, b["qty"])
        free = left.get(pool, 0) - sum(k["qty"] for k in kept if k["pool"] == pool)
        rest = most
        if own:
            rest, own["qty"] = rest - min(rest, own["qty"]), own["qty"] - min(rest, own["qty"])
        rest = max(rest - free, 0)
        behind = [k for k in kept if k["pool"] == pool and own and k["priority"] > rank]
        for k in sorted(behind, key=lambda k: (k["priority"], k["group"]), reverse=True):
            rest, k["qty"] = rest - min(rest, k["qty"]), k["qty"] - min(rest, k["qty"])
        left[pool] = left.get(pool, 0) - most
    return granted
