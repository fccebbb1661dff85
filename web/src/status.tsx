/* One slim line: what an answer took, or how the one that is being written stands. */
import { useEffect, useState } from "react";
import type { Entry, Running } from "./chats";

const seconds = (ms: number): string => ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;

export function Status({ answer: { usage, took, first } }: { answer: Entry }) {
  const said = [
    usage && `${usage.output_tokens.toLocaleString()} tokens`,
    took !== undefined && seconds(took),
    first !== undefined && `first text after ${seconds(first)}`,
  ].filter(Boolean);
  return <small className="status">{said.join(" · ")}</small>;
}

/** The line under the composer while an answer is written. */
export function Progress({ running: { began, lost, stopping } }: { running: Running }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 200);
    return () => clearInterval(timer);
  }, []);
  return (
    <span data-kind={lost ? "lost" : "writing"}>
      {lost ? "The connection is lost. It is tried again; the answer goes on meanwhile." : stopping ? "Stopping…" : `Answering… ${seconds(now - began)}`}
    </span>
  );
}
