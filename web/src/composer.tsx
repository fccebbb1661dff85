import { ArrowUp, Square, X } from "lucide-react";
import { useEffect, useLayoutEffect, useRef, type KeyboardEvent } from "react";
import { unwrap } from "./c1d";
import type { Chats } from "./chats";
import { focusQuestion } from "./focus";
import { Progress } from "./status";
import { warm } from "./warm";

export interface Draft {
  text: string;
  replaces?: string;
}

const LONGEST = 100_000;

export function Composer({ chats, draft, setDraft }: { chats: Chats; draft: Draft; setDraft(draft: Draft): void }) {
  const area = useRef<HTMLTextAreaElement>(null);
  const running = chats.conversation?.running;
  const blocked = chats.conversation?.state === "failed";

  useLayoutEffect(() => {
    const box = area.current!;
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 220)}px`;
  }, [draft.text]);
  useEffect(() => {
    if (matchMedia("(pointer: fine)").matches) area.current?.focus({ preventScroll: true });
  }, []);

  function ask() {
    if (!draft.text.trim() || running || blocked) return;
    chats.ask(draft.text.trim(), draft.replaces);
    setDraft({ text: "" });
    focusQuestion(); // from the button, which sends no more
  }

  function stop() {
    void chats.stop();
    focusQuestion();
  }

  function leave() {
    setDraft({ text: "" });
    focusQuestion();
  }

  function onKey(event: KeyboardEvent) {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      ask();
    } else if (event.key === "ArrowUp" && !draft.text && !running) {
      const last = chats.conversation?.entries.findLast(({ role }) => role === "user");
      if (!last) return;
      event.preventDefault();
      setDraft({ text: unwrap(last.content), replaces: last.id });
    } else if (event.key === "Escape" && draft.replaces) {
      setDraft({ text: "" });
    }
  }

  return (
    <form className="composer" onSubmit={event => { event.preventDefault(); ask(); }}>
      {draft.replaces && (
        <p className="editing">
          You edit your last question.
          <button type="button" className="icon" aria-label="Leave it as it was" onClick={leave}><X aria-hidden /></button>
        </p>
      )}
      <div className="box">
        <textarea id="composer" dir="auto" ref={area} rows={1} maxLength={LONGEST} placeholder="Ask anything" aria-label="Your question" value={draft.text} onPointerDown={warm}
          onChange={event => { warm(); setDraft({ ...draft, text: event.target.value }); }} onKeyDown={onKey} />
        {running ? (
          <button type="button" className="send" onClick={stop} disabled={running.stopping} aria-label="Stop the answer"><Square aria-hidden fill="currentColor" /></button>
        ) : (
          <button className="send" disabled={!draft.text.trim() || blocked} aria-label="Send"><ArrowUp aria-hidden /></button>
        )}
      </div>
      <p className="line" role="status">{running ? <Progress running={running} /> : <span>Answers may be wrong. Check what matters.</span>}</p>
    </form>
  );
}
