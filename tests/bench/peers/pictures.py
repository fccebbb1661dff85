"""Bars as SVG: no library, readable on light and on dark."""
from xml.sax.saxutils import escape

from report import BUSY, CALM, TITLES, TRANSPORTS, number

WIDTH, LEFT, RIGHT, BAR, GAP, HEAD = 720, 280, 70, 16, 14, 46
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600; font-size: 15px } .note { fill: #59636e }
.bar { fill: #8c959f } .ours { fill: #2da44e }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .note { fill: #9198a1 } .bar { fill: #6e7681 } .ours { fill: #3fb950 } }
</style>"""


def bars(title, note, groups):
    """groups: [(name, [(target, value)])]; shorter is better unless the note says otherwise."""
    most = max((value for _, values in groups for _, value in values), default=1) or 1
    out, y = [], HEAD
    for name, values in groups:
        out.append(f'<text class="note" x="0" y="{y + 12}">{escape(name)}</text>')
        for target, value in values:
            width = max(1, round((WIDTH - LEFT - RIGHT) * value / most, 1))
            out.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(TITLES[target])}</text>'
                       f'<rect class="{"ours" if target == "c1d" else "bar"}" x="{LEFT}" y="{y}" width="{width:g}" height="{BAR - 3}" rx="2"/>'
                       f'<text x="{LEFT + width + 6:g}" y="{y + 12}">{number(value)}</text>')
            y += BAR
        y += GAP
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img" aria-label="{escape(title)}">'
            f'{STYLE}<text class="title" x="0" y="16">{escape(title)}</text><text class="note" x="0" y="34">{escape(note)}</text>')
    return head + "\n" + "\n".join(out) + "\n</svg>\n"


def groups(figures, rows, name):
    found = []
    for row, transport, title in rows:
        values = [(target, figures.get(row, transport, target, name)) for target in TITLES]
        values = [(target, value) for target, value in values if value is not None]
        if values:
            found.append((title, values))
    return found


def pictures(figures):
    """{file name: SVG}"""
    ways = [(way, TRANSPORTS[way]) for way in ("tls", "plain")]
    flows = ((BUSY, "1,000 at 20,000/s"), (CALM, "100 at 5,000/s"))
    chunk = [(row, way, f"{short}, {title}") for way, title in ways for row, short in flows]
    crud = [(row, "plain", row) for row, _ in figures.rows("crud")]
    return {
        "performance-chunk.svg": bars("CPU a chunk", "µs, backend and its nginx; shorter is better", groups(figures, chunk, "us")),
        "performance-memory.svg": bars("Memory a stream", "KiB, backend and its nginx, 1,000 streams; shorter is better",
                                       groups(figures, [(BUSY, way, title) for way, title in ways], "kib")),
        "performance-crud.svg": bars("CPU a request", "µs, backend and its nginx; shorter is better",
                                     [(name, [(t, v) for t, v in values if t in ("rust", "go", "c1d")]) for name, values in groups(figures, crud, "us")]),
        "performance-clean.svg": bars("Highest clean rate on one core", "chunks a second with p50 < 5 ms and p99 < 50 ms, 1,000 streams; longer is better",
                                      groups(figures, [("highest clean rate", way, title) for way, title in ways], "rate")),
    }
