"""Everything at once under ThreadSanitizer: streams, lists, stops, rejoins and a reload; a data race fails the house's stop."""
import os
import signal
import uuid

import pytest
from house import ROOT, in_parallel, wait_for

PROGRAM = os.environ.get("C1D_TSAN_BIN", str(ROOT / "build/tsan/c1d"))


@pytest.mark.skipif(not os.path.exists(PROGRAM), reason="run by `make test`, which builds it with ThreadSanitizer")
@pytest.mark.parametrize("kind", ["sqlite", "mongodb"])
def test_no_data_race(request, new_site, kind):
    settings = {"TSAN_OPTIONS": "exitcode=98:halt_on_error=0", "C1D_UNATTENDED_MAX": "1"}
    if kind == "mongodb":
        settings["C1D_STORE"] = request.getfixturevalue("mongod").uri("races" + uuid.uuid4().hex[:6])
        settings["TSAN_OPTIONS"] += f":suppressions={ROOT}/tests/tsan.supp"
    site = new_site(settings, program=PROGRAM, workers=1)

    def use(i):
        for n in range(3):
            thread = f"t{i}-{n}"
            answer = site.chat("fault:chunks=20;size=30;pace=2", thread, responseId=f"a{i % 4}-{n}")
            assert answer.status == 200, answer
            leaving = site.stream({"thread_id": thread, "message": f"fault:chunks=40;size=10;pace=5 {i}"}, "?stream=sse")
            leaving.read_until(b"event: delta")
            run = leaving.headers["X-Run-Id"]
            if n == 1:
                assert site.post(f"/api/runs/{run}/stop").status == 200
            leaving.close()
            site.get(f"/api/runs/{run}/stream?stream=sse")
            assert site.get("/api/threads").status == 200
            assert site.get(f"/api/threads/{thread}/messages").status == 200
            site.delete(f"/api/threads/{thread}")

    in_parallel(8, use)
    site.c1d.child.send_signal(signal.SIGHUP)
    wait_for(lambda: len(site.log_lines("pool ready")) >= 2, "reloaded")
    in_parallel(4, lambda i: site.chat("hello", f"after{i}"))
