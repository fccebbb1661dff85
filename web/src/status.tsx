/* One slim line: what gave an answer and what it took, or how the one that is being written stands. */
import { useEffect, useState } from "react";
import type { Entry, Running } from "./chats";

const seconds = (ms: number): string => ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;

/** What people call a model: of "c1/anthropic/claude-sonnet-4/v-20251230" the third word. */
const spoken = (model: string): string => model.split("/").filter(word => !/^(c1|v-\d+)$/.test(word)).at(-1) ?? model;

export function Status({ answer: { model, usage, took, first } }: { answer: Entry }) {
  return (
    <small className="status">
      {model && <span title={model}>{spoken(model)}</span>}
      {usage && <span>{usage.output_tokens.toLocaleString()} tokens</span>}
      {took !== undefined && <span>{seconds(took)}</span>}
      {first !== undefined && <span className="first">first text after {seconds(first)}</span>}
    </small>
  );
}

const SILENT_MS = 5000; // models think, but somebody who waits so long wants to know that nothing is broken

function said({ heard, lost, stopping }: Running, now: number): string {
  if (lost) return "The connection is lost. It is tried again; the answer goes on meanwhile.";
  if (stopping) return "Stopping…";
  return now - heard > SILENT_MS ? "Waiting for the model…" : "Answering…";
}

/** The line under the composer while an answer is written. */
export function Progress({ running }: { running: Running }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 200);
    return () => clearInterval(timer);
  }, []);
  return <span data-kind={running.lost ? "lost" : "writing"}>{said(running, now)} {!running.lost && <span aria-hidden>{seconds(now - running.began)}</span>}</span>;
}
