"""The table of what is measured: a row is a measurement, a column a target."""
from functools import partial

import measures

ALL = ("nginx", "rust", "go", "node", "fastapi", "c1d")
FAST = ("nginx", "rust", "go", "c1d")
SLOW = ("node", "fastapi", "c1d")
BOTH = ("plain", "tls")
ANY = ("plain",)  # the upstream does not matter
RATES = (1000, 2000, 5000, 7500, 10000, 12500, 15000, 17500, 20000, 25000, 30000, 35000, 40000, 45000, 50000, 60000)


class Row:
    """part: what --parts names; rounds: how often at most, and brief: at most with --brief, of these columns only; workers: of c1d and
    nginx, which then may use every core; takes_stub: a store that tells how long it had each command."""

    def __init__(self, part, name, columns, transports, measure, rounds=99, workers=1, takes_starter=False, takes_stub=False, brief=1,
                 brief_columns=()):
        self.part, self.name, self.columns, self.transports, self.measure = part, name, columns, transports, measure
        self.rounds, self.workers, self.takes_starter, self.takes_stub = rounds, workers, takes_starter, takes_stub
        self.brief, self.brief_columns = brief, brief_columns or columns

    def shorten(self):
        self.rounds, self.columns = self.brief, self.brief_columns


def flow(part, count, rate, columns, ramp_s=2, seconds=4, **more):
    return Row(part, f"{count:,} streams, {rate:,}/s", columns, BOTH, partial(measures.streams, count=count, rate=rate, seconds=seconds, ramp_s=ramp_s),
               **more)


ROWS = [
    flow("busy", 1000, 20000, FAST, brief=3),
    flow("calm", 100, 5000, FAST, brief=3),
    flow("slow", 100, 1000, SLOW, brief=2),
    flow("one", 1, 20, ALL, ramp_s=0, seconds=3, brief=0),
    *(Row("first", f"first byte, {count:,} streams", FAST, BOTH,
          partial(measures.first_byte, count=count, each_s=each_s, seconds=seconds), takes_stub=True)
      for count, each_s, seconds in ((100, 2, 6), (1000, 5, 5))),
    *(Row("crud", name, ("rust", "go", "node", "fastapi", "c1d"), ANY, partial(measures.request, name=name, seconds=2), brief=3) for name in measures.REQUESTS),
    flow("many", 5000, 10000, ("rust", "go", "c1d"), ramp_s=5, rounds=3, brief=0),
    flow("ten", 10000, 10000, ("c1d",), ramp_s=10, seconds=8, rounds=3, workers=2),
    Row("clean", "highest clean rate", ALL, BOTH, partial(measures.clean_rate, rates=RATES, count=1000, seconds=2), rounds=1, takes_starter=True,
        brief_columns=("rust", "c1d")),
]

# Seconds: do the parts work?
SMOKE = [flow("smoke", 5, 100, ALL, ramp_s=0, seconds=0.5),
         Row("smoke", "first byte", ("nginx", "c1d"), ANY, partial(measures.first_byte, count=3, each_s=0.3, seconds=0), takes_stub=True),
         Row("smoke", "create", ("rust", "go", "node", "fastapi", "c1d"), ANY, partial(measures.request, name="create", seconds=0.3, warm_s=0.1))]
