import { PanelLeft, SquarePen, X } from "lucide-react";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { Chats } from "./chats";
import { Composer } from "./composer";
import { Conversation, Welcome } from "./conversation";
import { focusQuestion, focusSoon } from "./focus";
import { Sidebar } from "./sidebar";
import { SignIn } from "./signin";
import { useTheme } from "./theme";

const NARROW = "(max-width: 48rem)"; // page.css has it, too

function useNarrow(): boolean {
  const [narrow, setNarrow] = useState(matchMedia(NARROW).matches);
  useEffect(() => {
    const query = matchMedia(NARROW), onChange = () => setNarrow(query.matches);
    query.addEventListener("change", onChange);
    return () => query.removeEventListener("change", onChange);
  }, []);
  return narrow;
}

export function App({ chats }: { chats: Chats }) {
  useSyncExternalStore(chats.subscribe, () => chats.version);
  const theme = useTheme();
  const [drawer, setDrawer] = useState(false); // the list, on a narrow window
  const [wide, setWide] = useState(localStorage.getItem("c1d-list") !== "hidden");
  const narrow = useNarrow(), listed = narrow ? drawer : wide, was = useRef({ listed, narrow }), sought = useRef(false);
  const [draft, setDraft] = useState<{ text: string; replaces?: string }>({ text: "" });
  const { conversation } = chats;
  const title = chats.titles.get(chats.selected);

  useEffect(() => {
    document.title = title ? `${title} · c1d` : "c1d";
  }, [title]);
  useEffect(() => setDraft({ text: "" }), [chats.selected]);
  useEffect(() => { // the button that was pressed is gone, and its counterpart has come; or the list has, to be searched
    const pressed = was.current.narrow === narrow; // and the window has not got wider while somebody writes
    if (was.current.listed !== listed && (pressed || !listed)) focusSoon(!listed ? ".show-list" : sought.current ? "#search" : ".hide-list", listed ? "*" : ".list");
    was.current = { listed, narrow };
    sought.current = false;
  }, [listed, narrow]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !document.querySelector("dialog[open]")) setDrawer(false);
      if (!(event.ctrlKey || event.metaKey)) return;
      if (event.key === "k") {
        event.preventDefault();
        sought.current = true;
        (narrow ? setDrawer : setWide)(true);
        document.querySelector<HTMLElement>("#search")?.focus(); // at once where it is shown: letters follow the key
        focusSoon("#search", "*");
      } else if (event.shiftKey && event.key.toLowerCase() === "o") {
        event.preventDefault();
        chats.select("");
        focusQuestion();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [chats, narrow]);

  const showList = () => {
    if (narrow) return setDrawer(!drawer);
    setWide(!wide);
    localStorage.setItem("c1d-list", wide ? "hidden" : "shown");
  };
  const leaveDrawer = () => setDrawer(false);

  return (
    <div className="app" data-drawer={drawer} data-wide={wide}>
      <a className="skip" href="#composer" inert={narrow && drawer} onClick={event => { event.preventDefault(); focusSoon("#composer", "*"); }}>
        Skip to the question
      </a>
      <Sidebar chats={chats} theme={theme} leave={leaveDrawer} hide={showList} />
      <div className="scrim" onClick={leaveDrawer} />
      <main inert={narrow && drawer}>
        <header className="bar">
          <button className="icon show-list" onClick={showList} aria-label="Show or hide the list of chats" aria-expanded={listed}>
            <PanelLeft aria-hidden />
          </button>
          <h1>{title ?? "New chat"}</h1>
          <button className="icon new-chat" onClick={() => chats.select("")} aria-label="New chat" title="New chat (Ctrl+Shift+O)">
            <SquarePen aria-hidden />
          </button>
        </header>
        {(chats.problem || chats.claimed > 0) && (
          <p className="toast" role="alert">
            <span>{chats.problem ? `${chats.problem.title}. ${chats.problem.detail}` : `${chats.claimed} chats of this browser are yours now.`}</span>
            <button className="icon" onClick={() => { chats.dismiss(); focusQuestion(); }} aria-label="Dismiss"><X aria-hidden /></button>
          </p>
        )}
        {conversation ? (
          <Conversation key={conversation.id} chats={chats} conversation={conversation} mode={theme.mode}
            edit={(text, replaces) => { setDraft({ text, replaces }); focusSoon("#composer", "*"); }} />
        ) : (
          <Welcome ask={text => { chats.ask(text); focusQuestion(); }} />
        )}
        <Composer key={`ask ${chats.selected}`} chats={chats} draft={draft} setDraft={setDraft} />
      </main>
      {chats.signIn && <SignIn chats={chats} />}
    </div>
  );
}
