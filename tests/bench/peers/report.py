"""The medians of a result, as text, as tables of docs/performance.md, and held against what is aimed at."""
from statistics import median

TITLES = {"nginx": "nginx alone", "rust": "Rust", "go": "Go", "node": "Node", "fastapi": "FastAPI", "c1d": "c1d"}
TRANSPORTS = {"plain": "HTTP/1.1", "tls": "TLS"}
NOTHING = "-"


def medians(samples):
    """[{part, row, transport, target, n, figure: median...}], in the order in which they were measured first."""
    groups = {}
    for sample in samples:
        groups.setdefault((sample["part"], sample["row"], sample["transport"], sample["target"]), []).append(sample)
    found = []
    for (part, row, transport, target), group in groups.items():
        names = [name for name, value in group[0].items() if isinstance(value, (int, float))]
        figures = {name: round(median(sample[name] for sample in group if name in sample), 2) for name in names}
        found.append({"part": part, "row": row, "transport": transport, "target": target, "n": len(group), **figures})
    return found


def compact(result):
    """What is kept beside the document: no single samples."""
    return {"machine": result["machine"], "at": result["at"], "targets": result["targets"], "missing": result["missing"],
            "medians": medians(result["samples"])}


def text(result):
    lines = []
    for found in medians(result["samples"]):
        head = [found.pop(name) for name in ("part", "row", "transport", "target")]
        lines.append(f"{head[1]:26} {head[2]:6} {head[3]:8} " + " ".join(f"{key}={value:g}" for key, value in found.items()))
    return "\n".join(lines)


class Figures:
    """Looked up by row, transport and target."""

    def __init__(self, kept):
        self.kept = kept
        self.by_key = {(m["row"], m["transport"], m["target"]): m for m in kept["medians"]}

    def get(self, row, transport, target, name):
        return self.by_key.get((row, transport, target), {}).get(name)

    def rows(self, part):
        """[(row, transport)] of a part, in order."""
        found = []
        for m in self.kept["medians"]:
            if m["part"] == part and (m["row"], m["transport"]) not in found:
                found.append((m["row"], m["transport"]))
        return found

    def targets(self, parts):
        there = {m["target"] for m in self.kept["medians"] if m["part"] in parts}
        return [name for name in TITLES if name in there]


def number(value):
    if value is None:
        return NOTHING
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2g}" if value >= 0.1 else f"{value:.2f}"


def ratio(ours, theirs):
    return f"{ours / theirs:.2f}" if ours is not None and theirs else NOTHING


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def label(row, transport, has_transport):
    return f"{row}, {TRANSPORTS[transport]}" if has_transport else row


def by_target(figures, parts, names, against=("rust", "go"), has_transport=True):
    """A row a measurement, a column a target; each cell has the named figures; c1d against others by the last of them."""
    targets = [name for name in figures.targets(parts) if name != "nginx" or not names[0].startswith("app_")]
    if not targets:
        return "Not measured yet."
    against = [name for name in against if name in targets]
    head = [""] + [f"**{TITLES[name]}**" if name == "c1d" else TITLES[name] for name in targets] + [f"c1d : {TITLES[name]}" for name in against]
    rows = []
    for part in parts:
        for row, transport in figures.rows(part):
            cells = [label(row, transport, has_transport)]
            for target in targets:
                values = [figures.get(row, transport, target, name) for name in names]
                cells.append(NOTHING if all(value is None for value in values) else " / ".join(number(value) for value in values))
            ours = figures.get(row, transport, "c1d", names[-1])
            cells += [ratio(ours, figures.get(row, transport, name, names[-1])) for name in against]
            rows.append(cells)
    return table(head, rows)


# --- what is aimed at ---
BUSY, CALM = "1,000 streams, 20,000/s", "100 streams, 5,000/s"
SLOW, TEN = "100 streams, 1,000/s", "10,000 streams, 10,000/s"
FIRSTS = ("first byte, 100 streams", "first byte, 1,000 streams")
# (what, row, transport, figure, at most this, of this target's or None: the figure itself; `>`: at least)
AIMS = [
    *((f"µs a chunk, {TRANSPORTS[way]}", row, way, "us", factor, peer)
      for way, row, peer, factor in (("tls", BUSY, "rust", 0.9), ("tls", BUSY, "go", 0.65), ("tls", CALM, "rust", 1), ("plain", BUSY, "rust", 1.05),
                                     ("plain", BUSY, "go", 0.7), ("plain", CALM, "rust", 1.05), ("plain", CALM, "go", 0.7),
                                     ("tls", SLOW, "node", 1 / 3), ("tls", SLOW, "fastapi", 1 / 7))),
    ("KiB a stream with nginx's, TLS", BUSY, "tls", "kib", 26, None),
    ("KiB a stream with nginx's, HTTP/1.1", BUSY, "plain", "kib", 30, None),
    *((f"added latency p99, {TRANSPORTS[way]}", BUSY, way, "p99_ms", 1, "rust") for way in ("tls", "plain")),
    *((f"first byte {figure.split('_')[1]}, {TRANSPORTS[way]}", row, way, figure, most, None)
      for row in FIRSTS for way in ("tls", "plain") for figure, most in (("first_p50_ms", 1), ("first_p99_ms", 2))),
    *((f"µs a request, {row}", row, "plain", "us", factor, "rust")
      for row, factor in (("create", 0.9), ("list 50", 0.9), ("200 messages", 0.9), ("delete", 0.9), ("health", 1.2))),
    *((f"highest clean rate, {TRANSPORTS[way]}", "highest clean rate", way, "rate", -1, "rust") for way in ("tls", "plain")),
    *((what, TEN, way, figure, most, None)
      for way in ("tls", "plain") for what, figure, most in ((f"10,000 streams: failed, {TRANSPORTS[way]}", "failed", 0),
                                                             (f"10,000 streams: chunks lost, {TRANSPORTS[way]}", "lost", 0),
                                                             (f"10,000 streams: p99 ms, {TRANSPORTS[way]}", "p99_ms", 10))),
    ("10,000 streams: MiB with nginx, TLS", TEN, "tls", "mib", 250, None),
]


def aims(figures):
    """[(what, row, aim, ours, reached)]; reached is None where it was not measured."""
    found = []
    for what, row, transport, name, factor, peer in AIMS:
        ours = figures.get(row, transport, "c1d", name)
        theirs = figures.get(row, transport, peer, name) if peer else 1
        if peer is None:
            aim = f"≤ {factor:g}" if factor else "0"
        else:
            aim = f"{'≥' if factor < 0 else '≤'} {round(abs(factor), 2):g} × {TITLES[peer]}" + (f" ({number(theirs)})" if theirs is not None else "")
        reached = None
        if ours is not None and theirs is not None:
            reached = ours >= -factor * theirs if factor < 0 else ours <= factor * theirs
        found.append((what, row, aim, number(ours), reached))
    return found


def aims_table(figures):
    words = {True: "yes", False: "**no**", None: "not measured"}
    return table(["", "measured at", "aim", "c1d", "reached"],
                 [[what, row if row not in what else "", aim, ours, words[reached]] for what, row, aim, ours, reached in aims(figures)])


def losses(figures):
    """Each figure in which a peer is better by more than the noise, in words."""
    lower = {"us": "µs CPU", "kib": "KiB a stream", "p99_ms": "ms p99", "first_p99_ms": "ms p99 to the first byte"}
    found = []
    for m in figures.kept["medians"]:
        if m["target"] != "c1d" or m["part"] == "one":
            continue
        told = [name for name in lower if m["part"] == "first" or name != "first_p99_ms"]
        for peer in ("rust", "go", "node", "fastapi"):
            for name in told:
                theirs = figures.get(m["row"], m["transport"], peer, name)
                if m.get(name) and theirs and m[name] > 1.03 * theirs and not (m["part"] == "crud" and name == "p99_ms"):
                    where = label(m["row"], m["transport"], m["part"] != "crud")
                    found.append(f"- {where}: {number(m[name])} {lower[name]}, {TITLES[peer]} {number(theirs)}")
    return "\n".join(found) or "- In nothing that was measured."
