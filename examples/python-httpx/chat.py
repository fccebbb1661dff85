#!/usr/bin/python3
"""Asks c1d, and prints the answer as it is written. Ctrl-C stops the model; a connection that breaks is taken up again where it
broke. Needs httpx (Debian: python3-httpx)."""
import argparse
import json
import os
import sys
import time
import uuid

import httpx

TRIES = 8
# c1d says something every 15 s, so a minute of silence is a connection that is gone.
PATIENCE = httpx.Timeout(10, read=60)


def events(response):
    """Server-Sent Events as they come: (event, id, data). (httpx's own lines also end at U+2028, which may stand in an answer.)"""
    rest = b""
    for piece in response.iter_bytes():
        *blocks, rest = (rest + piece).split(b"\n\n")
        for block in blocks:
            fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line and line[:1] != b":")
            if b"data" in fields:
                yield fields[b"event"].decode(), fields.get(b"id", b"").decode(), json.loads(fields[b"data"])


def refused(response):
    """The error that c1d told: a problem (RFC 9457)."""
    response.read()
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    sys.exit(f"{response.status_code} {problem.get('title', response.reason_phrase)} {problem.get('detail', '')}".strip())


class Answer:
    """One question's answer, over as many connections as it takes."""

    def __init__(self, client, question, thread):
        self.client, self.run, self.last = client, "", ""
        # The responseId names the question: sent twice, it is asked once.
        self.body = {"threadId": thread, "responseId": str(uuid.uuid4()),
                     "prompt": {"id": str(uuid.uuid4()), "role": "user", "content": question}}

    def connect(self):
        if not self.run:
            return self.client.stream("POST", "/api/chat?stream=sse", json=self.body)
        return self.client.stream("GET", f"/api/runs/{self.run}/stream?stream=sse", headers={"Last-Event-ID": self.last})

    def events(self):
        tries = 0
        while tries < TRIES:
            try:
                with self.connect() as response:
                    if response.status_code == 204:  # nothing was missing
                        return
                    if response.status_code != 200 and not (response.status_code == 503 and tries + 1 < TRIES):
                        refused(response)
                    for event, seen, data in events(response):
                        tries, self.last = 0, seen or self.last
                        self.run = self.last.rpartition(".")[0]
                        yield event, data
                        if event == "done":
                            return
            except httpx.TransportError as error:
                print(f"\n({error or 'connection lost'}, once more)", file=sys.stderr)
            time.sleep(min(10, 0.3 * 2 ** tries))
            tries += 1
        sys.exit("c1d cannot be reached")

    def stop(self):
        return self.client.post(f"/api/runs/{self.run}/stop").json() if self.run else {}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question")
    parser.add_argument("--thread", default=str(uuid.uuid4()))
    arguments = parser.parse_args()
    token = os.environ.get("C1D_TOKEN")
    with httpx.Client(base_url=os.environ.get("C1D", "http://127.0.0.1:8080"), timeout=PATIENCE,
                      headers={"Authorization": f"Bearer {token}"} if token else {}) as client:
        answer = Answer(client, arguments.question, arguments.thread)
        try:
            for event, data in answer.events():
                if event == "delta":
                    print(data, end="", flush=True)
                elif event == "error":
                    print(f"\n{data['title']}: {data['detail']}", file=sys.stderr)
                elif event == "done":
                    print(f"\n{data['status']}, {data['bytes']} bytes, thread {arguments.thread}", file=sys.stderr)
        except KeyboardInterrupt:
            print(f"\n{answer.stop().get('status', 'not begun')}, thread {arguments.thread}", file=sys.stderr)


if __name__ == "__main__":
    main()
