"""The medians of a result, as tables."""
from statistics import median


def medians(samples):
    """{(row, transport, target): {figure: median}}"""
    groups = {}
    for sample in samples:
        groups.setdefault((sample["row"], sample["transport"], sample["target"]), []).append(sample)
    found = {}
    for key, rows in groups.items():
        names = {name for row in rows for name, value in row.items() if isinstance(value, (int, float))}
        found[key] = {name: median([row[name] for row in rows if name in row]) for name in names} | {"n": len(rows)}
    return found


def text(result):
    lines = []
    for (row, transport, target), figures in medians(result["samples"]).items():
        lines.append(f"{row:26} {transport:6} {target:8} " + " ".join(f"{key}={value:g}" for key, value in sorted(figures.items())))
    return "\n".join(lines)
