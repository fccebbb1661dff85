"""How costs grow with what is kept: what make bench-kept and make bench-stores have left in the build folder."""
import json
import os
from pathlib import Path

import report

BUILD = Path(os.environ.get("BUILD", Path(__file__).resolve().parents[3] / "build"))


def read(kept_path):
    """{"kept": ..., "stores": {kind: ...}}; what was not measured again stays as the document had it."""
    found = json.loads(kept_path.read_text()).get("growth", {}) if kept_path.exists() else {}
    for name, file in (("kept", "bench-kept.json"), ("stores", "bench-stores.json")):
        path = BUILD / file
        if path.exists():
            value = json.loads(path.read_text())
            found[name] = {**found.get(name, {}), **value} if name == "stores" else value
    return found


def kept_table(rows):
    return report.table(["answers kept in the spool", "first byte ms, p50 / p99", "delete ms, p50", "delete, CPU µs", "idle, % CPU"],
                        [[report.number(row["kept"]), f"{report.number(row['first_p50_ms'])} / {report.number(row['first_p99_ms'])}",
                          report.number(row["delete_p50_ms"]), report.number(row["delete_us"]), report.number(row["idle_percent"])] for row in rows])


def store_table(kind, sizes):
    head = [kind] + [f"{size['threads']:,} threads, {size['messages']:,} messages: ms, p50 / p99 (CPU µs)" for size in sizes]
    rows = []
    for route in sizes[0]["routes"]:
        cells = [route]
        for size in sizes:
            row = size["routes"].get(route, {})
            time = f"{report.number(row.get('p50_ms'))} / {report.number(row.get('p99_ms'))}"
            cells.append(time + (f" ({report.number(row['us'])})" if "us" in row else ""))
        rows.append(cells)
    return report.table(head, rows)


def tables(growth):
    parts = []
    if "kept" in growth:
        parts.append("`make bench-kept`, SQLite, one worker, one chat after the other:\n\n" + kept_table(growth["kept"]))
    if "stores" in growth:
        parts.append("`make bench-stores`, one worker, through nginx, four clients at once (chats: one); CPU is c1d's with nginx's:")
        parts += [store_table(kind, sizes) for kind, sizes in growth["stores"].items()]
    return "\n\n".join(parts) or "Not measured yet."
