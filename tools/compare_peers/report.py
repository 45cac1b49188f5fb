"""What a state amounts to: rows of figures, as a table for people or as JSON."""
import shapes
from intervals import median_interval, median_of

DISTURBED_CORES = 0.2
HEADINGS = ("engine", "weights", "decode tok/s", "bytes/token", "of stream", "ours / theirs",
            "prefill tok/s", "of peak", "ours / theirs", "first token", "ours / theirs", "load",
            "peak memory")


def by_round(rows, peer, field):
    return {row["round"]: row[field] for row in rows if row["peer"] == peer}


def ratios(rows, peer, field, ours="fathom", inverse=False):
    """Median and interval of ours / theirs over the rounds that both ran, in speed: `inverse`
    where the field is a time."""
    mine, theirs = by_round(rows, ours, field), by_round(rows, peer, field)
    pairs = [(mine[number], theirs[number]) for number in sorted(set(mine) & set(theirs))]
    return median_interval([b / a if inverse else a / b for a, b in pairs])


def phase_row(state, shape, dtype, peer, phase, work):
    """Rate, share of the roof and ratio of one peer in one phase; `work` a token, in bytes or
    operations."""
    rows = [row for row in state["turns"] if row["shape"] == shape and row["dtype"] == dtype
            and row["phase"] == phase]
    mine = [row for row in rows if row["peer"] == peer]
    if not mine:
        return None
    unit = 1e9 if phase == "decode" else 1e12
    shares = [row["rate"] * work / (row["roof_value"] * unit) for row in mine
              if work and row["roof_value"]]
    middle, low, high = ratios(rows, peer, "rate")
    return {"tokens_per_s": median_of([row["rate"] for row in mine]), "roof": mine[0]["roof"],
            "roof_value": median_of([row["roof_value"] for row in mine]),
            "fraction_of_roof": median_of(shares), "rounds": len(mine),
            "ours_over_theirs": {"median": middle, "low": low, "high": high}}


def start_row(state, shape, dtype, peer):
    rows = [row for row in state["starts"] if row["shape"] == shape and row["dtype"] == dtype]
    mine = [row for row in rows if row["peer"] == peer]
    if not mine:
        return None
    middle, low, high = ratios(rows, peer, "wall_s", inverse=True)
    return {"wall_s": median_of([row["wall_s"] for row in mine]), "rounds": len(mine),
            "peak_resident_bytes": max(row["peak_bytes"] for row in mine),
            "load_ms": median_of([row["load_ms"] for row in mine]),
            "ours_over_theirs": {"median": middle, "low": low, "high": high}}


def figures(state, configs):
    """[row] in the order in which things were measured; `configs` {shape: config.json}."""
    seen = []
    for row in [*state["turns"], *state["starts"]]:
        if (row["shape"], row["dtype"]) not in seen:
            seen.append((row["shape"], row["dtype"]))
    found = []
    for shape, dtype in seen:
        flops = shapes.prefill_flops_per_token(configs[shape], 512)
        for peer in state["engines"]:
            key = f"{shape}/{dtype}/{peer}"
            weight_bytes = state["weight_bytes"].get(key)
            row = {"shape": shape, "dtype": dtype, "engine": peer, "weight_bytes": weight_bytes,
                   "decode": phase_row(state, shape, dtype, peer, "decode", weight_bytes),
                   "prefill": phase_row(state, shape, dtype, peer, "prefill", flops),
                   "start": start_row(state, shape, dtype, peer)}
            if row["decode"] or row["prefill"] or row["start"]:
                found.append(row)
    return found


def number(value, digits=3):
    """Three digits that count: 1234, 123, 12.3, 1.23, 0.12."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.{max(0, digits - 1 - (1 if abs(value) >= 10 else 0))}f}"


def interval(ratio):
    """"1.31x [1.28, 1.35]"; [?] where there were too few rounds."""
    if not ratio or ratio["median"] is None:
        return "-"
    bounds = "?" if ratio["low"] is None else f"{ratio['low']:.2f}, {ratio['high']:.2f}"
    return f"{ratio['median']:.2f}x [{bounds}]"


def size(value):
    if value is None:
        return "-"
    return f"{value / 1e9:.2f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"


def cells(row, formats):
    ours = row["engine"] == "fathom"
    decode, prefill, start = (row[phase] or {} for phase in ("decode", "prefill", "start"))

    def ratio(part):
        return "1" if ours and part else interval(part.get("ours_over_theirs"))

    def share(part):
        value = part.get("fraction_of_roof")
        return "-" if value is None else f"{value:.2f}"
    wall = start.get("wall_s")
    load = start.get("load_ms")
    return [row["engine"], formats.get(row["engine"], {}).get(row["dtype"], row["dtype"]),
            number(decode.get("tokens_per_s")), size(row["weight_bytes"]), share(decode),
            ratio(decode), number(prefill.get("tokens_per_s")), share(prefill), ratio(prefill),
            "-" if wall is None else f"{wall:.2f} s", ratio(start),
            "-" if load is None else f"{load / 1000:.2f} s",
            size(start.get("peak_resident_bytes"))]


def layout(headings, lines, markdown):
    if markdown:
        rule = ["---"] * len(headings)
        return "\n".join("| " + " | ".join(line) + " |" for line in [headings, rule, *lines])
    widths = [max(len(line[i]) for line in [headings, *lines]) for i in range(len(headings))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                     for line in [headings, *lines])


def table(state, configs, formats, markdown=False):
    """A table a shape, with what its roofs were and what was left out."""
    rows = figures(state, configs)
    text = []
    for shape in dict.fromkeys(row["shape"] for row in rows):
        measured = [row for row in rows if row["shape"] == shape]
        roofs = {part["roof"]: part["roof_value"] for row in measured
                 for part in (row["decode"], row["prefill"]) if part}
        units = {"read_stream": "GB/s", "int8_peak": "TOP/s"}
        told = ", ".join(f"{name} {value:.3g} {units.get(name, 'TFLOP/s')}"
                         for name, value in roofs.items())
        count = max((part["rounds"] for row in measured
                     for part in (row["decode"], row["prefill"], row["start"]) if part), default=0)
        title = f"{shape}, {count} rounds" + (f"; {told}" if told else "")
        text.append(("### " if markdown else "") + title)
        text.append(layout(list(HEADINGS), [cells(row, formats) for row in measured], markdown))
    disturbed = [row for row in state["turns"] if row.get("others", 0) > DISTURBED_CORES]
    if disturbed:
        text.append(f"Other processes kept over {DISTURBED_CORES} cores busy before "
                    f"{len(disturbed)} of {len(state['turns'])} turns: not a quiet machine.")
    text += [f"{key}: left out: {reason}" for key, reason in state["missing"].items()]
    return "\n\n".join(text)


def document(state, configs):
    return {"machine": state["machine"], "engines": state["engines"],
            "missing": state["missing"], "trials": state["trials"],
            "rows": figures(state, configs)}
