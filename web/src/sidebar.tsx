import { Archive, ArchiveRestore, Ellipsis, LogIn, LogOut, Moon, PanelLeftClose, Pencil, Search, SquarePen, Sun, Trash2 } from "lucide-react";
import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import type { Thread } from "./c1d";
import type { Chats } from "./chats";
import { Ask } from "./dialog";
import { focusSoon } from "./focus";
import type { Theme } from "./theme";
import { warm } from "./warm";

const DAY_MS = 86_400_000;

/** The keyboard goes to the chat beside one that is about to go. */
function leaveRow(id: string): void {
  const links = [...document.querySelectorAll<HTMLElement>(".row > a")], at = links.findIndex(link => link.getAttribute("href") === `#${id}`);
  (links[at + 1] ?? links[at - 1] ?? document.querySelector<HTMLElement>(".new"))?.focus();
}

/** Under which heading a thread stands. */
function ageOf({ updatedAt }: Thread): string {
  const today = new Date().setHours(0, 0, 0, 0), then = updatedAt.getTime();
  if (then >= today) return "Today";
  if (then >= today - DAY_MS) return "Yesterday";
  if (then >= today - 7 * DAY_MS) return "Previous 7 days";
  if (then >= today - 30 * DAY_MS) return "Previous 30 days";
  return updatedAt.toLocaleDateString(undefined, { month: "long", year: "numeric" });
}

export function Sidebar({ chats, theme, leave, hide }: { chats: Chats; theme: Theme; leave(): void; hide(): void }) {
  const [doomed, setDoomed] = useState<Thread>();
  const groups = new Map<string, Thread[]>();
  for (const thread of chats.threads) groups.set(ageOf(thread), [...(groups.get(ageOf(thread)) ?? []), thread]);
  const open = (id: string) => {
    chats.select(id);
    leave();
  };

  return (
    <nav className="list" aria-label="Chats">
      <div className="list-head">
        <img src="./favicon.svg" alt="" width="26" height="26" />
        <strong>c1d</strong>
        <button className="icon hide-list" onClick={hide} aria-label="Hide the list of chats"><PanelLeftClose aria-hidden /></button>
      </div>
      <button className="new" onClick={() => open("")}>
        <SquarePen aria-hidden /> New chat
      </button>
      <label className="search">
        <Search aria-hidden />
        <input id="search" type="search" placeholder="Search" aria-label="Search chats" value={chats.search} onChange={event => chats.find(event.target.value)} />
        <kbd>Ctrl K</kbd>
      </label>
      <div className="threads">
        {[...groups].map(([name, threads]) => (
          <section key={name} aria-label={name}>
            <h2>{name}</h2>
            <ul>
              {threads.map(thread => <Row key={thread.id} chats={chats} thread={thread} open={open} remove={() => setDoomed(thread)} />)}
            </ul>
          </section>
        ))}
        {chats.listed === "loading" && <p className="hint">Loading…</p>}
        {chats.listed === "failed" && <p className="hint">The list cannot be loaded. <button className="link" onClick={() => void chats.list()}>Try again</button></p>}
        {chats.listed === "ready" && chats.threads.length === 0 && (
          <p className="hint">{chats.search ? "Nothing found." : chats.folder === "archive" ? "Nothing is archived." : "Your chats will be here."}</p>
        )}
        {chats.next && <button className="more" onClick={() => void chats.list(true)}>Show more</button>}
      </div>
      <div className="list-foot">
        <button className="icon" aria-pressed={chats.folder === "archive"} onClick={() => chats.turnTo(chats.folder === "archive" ? "chats" : "archive")}
          aria-label={chats.folder === "archive" ? "Back to the chats" : "Show the archive"} title="Archive">
          <Archive aria-hidden />
        </button>
        <button className="icon" onClick={theme.toggle} aria-label={theme.mode === "dark" ? "Light colours" : "Dark colours"} title="Colours">
          {theme.mode === "dark" ? <Sun aria-hidden /> : <Moon aria-hidden />}
        </button>
        {chats.hasToken
          ? <button className="icon" onClick={() => chats.signOut()} aria-label="Sign out" title="Sign out"><LogOut aria-hidden /></button>
          : <button className="icon" onClick={() => chats.askToken()} aria-label="Sign in with a token" title="Sign in"><LogIn aria-hidden /></button>}
      </div>
      {doomed && (
        <Ask title="Delete this chat?" text={`“${doomed.title}” and all that is in it will be gone for good.`} yes="Delete"
          done={yes => {
            setDoomed(undefined);
            if (!yes) return;
            leaveRow(doomed.id);
            void chats.remove(doomed.id);
          }} />
      )}
    </nav>
  );
}

function Row({ chats, thread, open, remove }: { chats: Chats; thread: Thread; open(id: string): void; remove(): void }) {
  const [menu, setMenu] = useState(false);
  const [renaming, setRenaming] = useState(false);
  const row = useRef<HTMLLIElement>(null);
  const archived = chats.folder === "archive";

  useEffect(() => {
    if (!menu) return;
    row.current?.querySelector<HTMLElement>("[role=menuitem]")?.focus();
    const away = (event: MouseEvent) => { if (!row.current?.contains(event.target as Node)) setMenu(false); };
    addEventListener("pointerdown", away);
    return () => removeEventListener("pointerdown", away);
  }, [menu]);

  /** The menu goes, and the keyboard is where it was before. */
  function choose(act?: () => void) {
    setMenu(false);
    row.current?.querySelector<HTMLElement>(".dots")?.focus();
    act?.();
  }

  function onKey(event: KeyboardEvent) {
    if (event.key === "Tab") return choose();
    const items = [...(row.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    if (event.key === "Escape") {
      event.stopPropagation();
      choose();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      items[(at + (event.key === "ArrowDown" ? 1 : items.length - 1)) % items.length]?.focus();
    }
  }

  function rename(title: string) {
    setRenaming(false);
    focusSoon(`.row > a[href="#${CSS.escape(thread.id)}"]`);
    if (title.trim() && title.trim() !== thread.title) void chats.rename(thread.id, title.trim());
  }

  const item = (icon: React.ReactNode, name: string, act: () => void) => (
    <button role="menuitem" className={name === "Delete" ? "danger" : ""} onClick={() => choose(act)}>{icon} {name}</button>
  );
  return (
    <li ref={row} className="row" data-selected={thread.id === chats.selected} data-menu={menu}>
      {renaming ? (
        <input className="rename" dir="auto" aria-label="New name" defaultValue={thread.title} autoFocus maxLength={200} onFocus={event => event.target.select()}
          onBlur={event => rename(event.target.value)}
          onKeyDown={event => { if (event.key === "Enter") event.currentTarget.blur(); if (event.key === "Escape") { event.stopPropagation(); event.currentTarget.value = thread.title; event.currentTarget.blur(); } }} />
      ) : (
        <>
          <a href={`#${thread.id}`} aria-current={thread.id === chats.selected ? "page" : undefined} title={thread.title} onPointerEnter={warm} onFocus={warm}
            onClick={event => { if (event.ctrlKey || event.metaKey) return; event.preventDefault(); open(thread.id); }}>
            {thread.title || "Untitled"}
          </a>
          {chats.isRunning(thread.id) && <span className="pulse" role="img" aria-label="An answer is being written" />}
          <button className="icon dots" aria-haspopup="menu" aria-expanded={menu} aria-label={`More of ${thread.title}`} onClick={() => setMenu(!menu)}>
            <Ellipsis aria-hidden />
          </button>
        </>
      )}
      {menu && (
        <div className="menu" role="menu" onKeyDown={onKey}>
          {item(<Pencil aria-hidden />, "Rename", () => setRenaming(true))}
          {item(archived ? <ArchiveRestore aria-hidden /> : <Archive aria-hidden />, archived ? "Take back" : "Archive", () => { leaveRow(thread.id); void chats.archive(thread.id, !archived); })}
          {item(<Trash2 aria-hidden />, "Delete", remove)}
        </div>
      )}
    </li>
  );
}
