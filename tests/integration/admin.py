"""An administrator's commands on stores that no service has to run on, and exports made by hand."""
import hashlib
import json
import os
import signal
import subprocess

from house import DEADLINE_S, ROOT, environment_of
from processes import with_parent

PROGRAM = os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))
OK, FAILED, USAGE, UNAVAILABLE, AGAIN, CONFIG = 0, 1, 2, 69, 75, 78

# What text may hold, and some program on the way may not keep: controls, quotes, what joins and turns, every plane's ends,
# what looks like our own format or like C1's.
ODD = [
    "", " ", "\t\n\r", "".join(map(chr, range(1, 32))) + "\x7f", "\x80\x9f\xa0\xad", "e\u0301 \u00e9", "\u202e\u2066abc\u2069\u061c", "\ufeff\ufffe\uffff",
    "\ud7ff\ue000\ufffd", "".join(chr(plane << 16 | last) for plane in range(1, 17) for last in (0, 0xFFFE, 0xFFFF)),
    "👩‍👩‍👧‍👦🏳️‍🌈", "'\"\\`$(x)%s%n;--", '{"type":"end"}\n{"type":"thread"}', "<content thesys=\"true\">a &amp; b</content>", "\\u0000\\ud800", "a" * 70000,
]
METADATA = [None, {}, {"b": 1, "a": {"d": [1.5, 200.0, -0.0, 1e21, 9007199254740993], "c": None}}, {text[:50]: text[:500] for text in ODD[2:]},
            {"deep": json.loads("[" * 60 + "]" * 60)}]


class Desk:
    """Runs commands; its state folder is its own."""

    def __init__(self, folder, **settings):
        self.folder = folder
        self.settings = {"C1D_STATE_DIR": str(folder), "C1D_STORE": f"sqlite:{folder}/c1d.db", "C1D_LOG_LEVEL": "warn", **settings}

    def start(self, *words, store=None, **how):
        settings = {**self.settings, **({"C1D_STORE": store} if store else {})}
        return subprocess.Popen([PROGRAM, *map(str, words)], env=environment_of(settings), stdin=how.pop("stdin", subprocess.DEVNULL),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=with_parent, **how)

    def run(self, *words, store=None, code=OK, give=None):
        """Its stdout and stderr as one text each."""
        child = self.start(*words, store=store, stdin=subprocess.PIPE if give is not None else subprocess.DEVNULL)
        try:
            out, err = child.communicate(give, timeout=4 * DEADLINE_S)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGABRT)
            raise
        out, err = out.decode(), err.decode()
        assert child.returncode == code, (words, child.returncode, out[-2000:], err[-4000:])
        assert "Sanitizer" not in err and "runtime error" not in err, err
        return out, err

    def export(self, store, *more):
        """{thread: (its record, {message: its record})}, and the last line."""
        out, _ = self.run("export", "-", "--quiet", *more, store=store)
        return read(out)

    def copy(self, *words, code=OK, **how):
        out, _ = self.run("copy", *words, "--json", code=code, **how)
        return json.loads(out) if out else None


def read(text):
    lines = [json.loads(line) for line in text.split("\n")[:-1]]
    assert lines[0]["type"] == "c1d-export" and lines[-1]["type"] == "end" and text.endswith("\n")
    threads = {}
    for line in lines[1:-1]:
        if line["type"] == "thread":
            assert line["id"] not in threads
            threads[line["id"]] = (line, {})
        else:
            assert list(threads)[-1] == line["thread_id"] and line["id"] not in threads[line["thread_id"]][1]
            threads[line["thread_id"]][1][line["id"]] = line
    return threads, lines[-1]


def thread(name, **more):
    return {"type": "thread", "id": name, "user_id": "anna", "title": "Hello", "created_ms": 1795000000000, "updated_ms": 1795000001000, "rev": 3,
            "archived": False, "metadata": None, **more}


def message(of, name, seq, **more):
    made = {"type": "message", "thread_id": of, "id": name, "seq": seq, "role": "user", "status": "complete", "created_ms": 1795000000000 + seq,
            "updated_ms": 1795000000000 + seq, "run_id": None, "parent_id": None, "key": None, "question": None, "model": None, "finish_reason": None,
            "input_tokens": None, "output_tokens": None, "total_tokens": None, "unasked": False, "feedback": None, "metadata": None, "content": "Hello"}
    return {**made, **more}


def answer(of, name, seq, run, **more):
    named = hashlib.md5(f"{of}/{name}".encode()).hexdigest()
    return message(of, name, seq, **{"role": "assistant", "run_id": run, "key": named, "question": named, "model": "c1/x", "finish_reason": "stop",
                                     "input_tokens": 1, "output_tokens": 2, "total_tokens": 3, **more})


def lines_of(records, end=True):
    """An export of them. Its end names no checksum that anybody could know here, so import says one thing about it."""
    head = {"type": "c1d-export", "version": 1, "made_ms": 1, "by": "a test", "user": None}
    return "".join(json.dumps(record, ensure_ascii=index % 2 == 0) + "\n" for index, record in enumerate([head, *records])).encode()


def odd_records():
    """Threads and messages with everything that may be in one."""
    records = []
    for i, text in enumerate(ODD):
        name = f"odd-{i:02d}"
        title = text[:200].replace("\n", " ") if i != 3 else "x"
        records.append(thread(name, title=title, user_id=f"user {text[:20]}" if text.strip() else "anna", archived=i % 2 == 0, rev=i + 1,
                              metadata=METADATA[i % len(METADATA)]))
        records.append(message(name, "q", 1, content=text, metadata=METADATA[i % len(METADATA)]))
        records.append(answer(name, "a", 2, f"run-{i}", content=text * 2, parent_id="q", status=["complete", "length", "stopped", "error", "interrupted"][i % 5],
                              finish_reason=None if i % 3 == 0 else "stop", unasked=i % 5 == 3, feedback={"rating": "up"} if i % 4 == 0 else None,
                              input_tokens=None if i % 2 else 7))
        records.append(message(name, "s", 3, role=["system", "tool"][i % 2], content=text))
    return records


def many_records(threads, messages=4):
    records = []
    for i in range(threads):
        name = f"t-{i:05d}"
        records.append(thread(name, user_id=f"user-{i % 7}", title=f"Thread {i}", updated_ms=1795000000000 + i))
        for k in range(messages):
            seq = k + 1
            records.append(message(name, f"m{seq}", seq, content=f"question {i} {k}") if k % 2 == 0
                           else answer(name, f"m{seq}", seq, f"run-{i}-{k}", content=f"<content>answer {i} {k}</content>"))
    return records


def as_values(threads):
    """Numbers as what they mean: stores write 1e2 as they like."""
    return json.loads(json.dumps(threads), parse_int=float)


def by_name(records):
    threads = {}
    for record in records:
        if record["type"] == "thread":
            threads[record["id"]] = (record, {})
        else:
            threads[record["thread_id"]][1][record["id"]] = record
    return threads
