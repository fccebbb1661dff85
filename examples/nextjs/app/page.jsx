"use client";

import { useRef, useState } from "react";

export default function Page() {
  const [text, setText] = useState("");
  const run = useRef("");

  async function ask(event) {
    event.preventDefault();
    const message = new FormData(event.currentTarget).get("message");
    const response = await fetch("/api/chat?errors=card&keepalive=15", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ message }),
    });
    run.current = response.headers.get("X-Run-Id") ?? "";
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part, all = ""; !(part = await reader.read()).done; setText(all)) all += part.value;
    run.current = "";
  }

  const stop = () => run.current && fetch(`/api/runs/${run.current}/stop`, { method: "POST" });

  return (
    <main>
      <form onSubmit={ask}>
        <input name="message" aria-label="Your question" placeholder="Show me a table" required />
        <button>Send</button>
        <button type="button" onClick={stop}>Stop</button>
      </form>
      <pre style={{ whiteSpace: "pre-wrap" }}>{text}</pre>
    </main>
  );
}
