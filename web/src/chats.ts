/* What the page knows: the list of threads, the conversations that were opened, and the answers that are being written in any of
 * them, shown or not. One object that changes; whoever draws it subscribes. */
import { c1d, newId, Problem, unwrap, type Event, type Message, type Status, type Thread, type Usage } from "./c1d";
import type { Action } from "./turns";

export interface Entry {
  id: string;
  role: "user" | "assistant";
  content: string;
  status: Status;
  createdAt: Date;
  usage: Usage | null;
  model?: string;
  /** Of a question: the one that it was asked in place of. */
  replaces?: string;
  problem?: Problem;
  /** Milliseconds from the question to the first text and to the end, when this page saw them. */
  first?: number;
  took?: number;
}

export interface Running {
  entry: string;
  began: number;
  /** When the last of it came. */
  heard: number;
  run?: string;
  stopping: boolean;
  lost: boolean;
  /** What was typed into its forms meanwhile, as it stands behind an answer. */
  typed: string;
}

export interface Conversation {
  id: string;
  entries: Entry[];
  state: "loading" | "ready" | "failed";
  problem?: Problem;
  earlier: boolean;
  running?: Running;
}

export type Folder = "chats" | "archive";
const PAGE = 200; // messages that c1d gives at once
const REDRAW_MS = 60;
const AGAIN_MS = 5000; // what could not be loaded is asked for again
const TOKEN = "c1d-token";

const problemOf = (error: unknown): Problem =>
  error instanceof Problem ? error : new Problem(0, "unknown", "Something went wrong", error instanceof Error ? error.message : String(error));

const entryOf = (message: Message): Entry => ({
  id: message.id, role: message.role as Entry["role"], content: message.content, status: message.status, createdAt: message.createdAt,
  usage: message.usage, model: message.model ?? undefined, replaces: typeof message.metadata.replaces === "string" ? message.metadata.replaces : undefined,
});

/** What the store has, with what this page alone knows: times, and all of what was asked since the store was. */
function merged(stored: Entry[], known: Entry[], since: Entry[]): Entry[] {
  const mine = new Map(known.map(entry => [entry.id, entry])), own = new Set(since);
  return [...stored.filter(({ id }) => !own.has(mine.get(id)!)).map(entry => ({ ...mine.get(entry.id), ...entry })), ...since];
}

/** What ends by itself: the way to c1d or its store is away, or somebody asked too often. */
const passes = ({ status }: Problem): boolean => status === 0 || status === 429 || status >= 500;

/** What the C1 client writes behind an answer: what was typed into its forms. */
const TYPED = /\s*<context>[^<]*<\/context>\s*$/;
const typedIn = (content: string): string => TYPED.exec(content)?.[0] ?? "";

export class Chats {
  threads: Thread[] = [];
  /** Of all threads that were seen: what is looked at need not be in the list, as while somebody searches. */
  titles = new Map<string, string>();
  folder: Folder = "chats";
  search = "";
  listed: "loading" | "ready" | "failed" = "loading";
  next = "";
  problem?: Problem;
  selected = "";
  signIn = false;
  claimed = 0;
  version = 0;

  private open = new Map<string, Conversation>();
  private listeners = new Set<() => void>();
  private timer?: ReturnType<typeof setTimeout>;
  private again?: ReturnType<typeof setTimeout>;
  private asked = 0;
  private channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("c1d") : undefined;
  private token = sessionStorage.getItem(TOKEN) ?? "";
  private api = c1d({ headers: (): Record<string, string> => (this.token ? { Authorization: `Bearer ${this.token}` } : {}) });
  private first: Promise<void>; // a new visitor gets a cookie by the first answer, so nothing else is asked before

  constructor() {
    this.first = this.list();
    this.channel?.addEventListener("message", ({ data }) => this.heard(String(data)));
    addEventListener("focus", () => this.refresh());
    addEventListener("online", () => this.refresh());
    addEventListener("hashchange", () => this.select(location.hash.slice(1)));
    if (location.hash) this.select(location.hash.slice(1));
  }

  // --- who draws it ---
  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private changed(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.version++;
    this.listeners.forEach(listener => listener());
  }

  /** Of what comes many times a second. */
  private grew(): void {
    this.timer ??= setTimeout(() => this.changed(), REDRAW_MS);
  }

  get conversation(): Conversation | undefined {
    return this.open.get(this.selected);
  }

  isRunning = (thread: string): boolean => this.open.get(thread)?.running !== undefined;

  // --- other tabs and other devices ---
  private heard(thread: string): void {
    void this.list();
    if (this.open.has(thread) && !this.isRunning(thread)) void this.load(thread);
  }

  private refresh(): void {
    void this.list();
    if (this.selected && !this.isRunning(this.selected)) void this.load(this.selected);
  }

  // --- the list ---
  async list(more = false): Promise<void> {
    const mine = ++this.asked, filter = { q: this.search || undefined, archived: this.folder === "archive", limit: 50 };
    try {
      const page = await this.api.threads.list(filter, more ? this.next : "");
      if (mine !== this.asked) return;
      this.threads = more ? [...this.threads, ...page.threads.filter(one => !this.threads.some(two => two.id === one.id))] : page.threads;
      for (const { id, title } of page.threads) this.titles.set(id, title);
      this.next = page.next;
      this.listed = "ready";
      this.problem = undefined;
    } catch (error) {
      if (mine !== this.asked) return;
      this.failed(error);
      this.listed = "failed";
      if (passes(this.problem!)) this.again ??= setTimeout(() => { this.again = undefined; this.refresh(); }, Math.max(AGAIN_MS, this.problem!.retryAfter * 1000));
    }
    this.changed();
  }

  private failed(error: unknown): void {
    this.problem = problemOf(error);
    if (this.problem.status === 401) this.signIn = true;
    this.changed();
  }

  find(search: string): void {
    this.search = search;
    void this.list();
    this.changed();
  }

  turnTo(folder: Folder): void {
    this.folder = folder;
    this.threads = [];
    this.listed = "loading";
    void this.list();
    this.changed();
  }

  private async change(act: () => Promise<unknown>, thread: string): Promise<void> {
    try {
      await act();
      this.channel?.postMessage(thread);
    } catch (error) {
      this.failed(error);
    }
    await this.list();
  }

  rename(id: string, title: string): Promise<void> {
    this.threads = this.threads.map(thread => (thread.id === id ? { ...thread, title } : thread));
    this.titles.set(id, title);
    this.changed();
    return this.change(() => this.api.threads.change(id, { title }), id);
  }

  archive(id: string, archived: boolean): Promise<void> {
    this.threads = this.threads.filter(thread => thread.id !== id);
    this.changed();
    return this.change(() => this.api.threads.change(id, { archived }), id);
  }

  remove(id: string): Promise<void> {
    this.threads = this.threads.filter(thread => thread.id !== id);
    this.open.delete(id);
    if (this.selected === id) this.select("");
    this.changed();
    return this.change(() => this.api.threads.remove(id), id);
  }

  dismiss(): void {
    this.problem = undefined;
    this.claimed = 0;
    this.changed();
  }

  // --- a conversation ---
  select(id: string): void {
    if (this.selected === id) return;
    this.selected = id;
    if (location.hash.slice(1) !== id) history.pushState(null, "", id ? `#${id}` : location.pathname + location.search);
    if (id && !this.open.has(id)) {
      this.open.set(id, { id, entries: [], state: "loading", earlier: false });
      void this.load(id);
    }
    this.changed();
  }

  private edit(id: string, patch: Partial<Conversation>): void {
    const before = this.open.get(id);
    if (before) this.open.set(id, { ...before, ...patch });
  }

  private editEntry(thread: string, id: string, patch: Partial<Entry>): void {
    const before = this.open.get(thread);
    if (before) this.edit(thread, { entries: before.entries.map(entry => (entry.id === id ? { ...entry, ...patch } : entry)) });
  }

  async load(id: string, before = ""): Promise<void> {
    const had = new Set(this.open.get(id)?.entries.map(entry => entry.id));
    try {
      await this.first;
      const page = await this.api.messages.list(id, before), now = this.open.get(id);
      if (!now) return; // deleted meanwhile
      const entries = page.filter(({ role }) => role === "user" || role === "assistant").map(entryOf);
      const since = now.entries.slice(now.entries.findLastIndex(entry => had.has(entry.id)) + 1); // asked while this was on its way
      this.edit(id, { state: "ready", problem: undefined, earlier: page.length === PAGE, entries: before ? [...entries, ...now.entries] : merged(entries, now.entries, since) });
      const last = page.at(-1);
      if (last?.status === "streaming" && last.run_id && !before && !now.running) void this.show(id, last.id, signal => this.api.follow(last.run_id!, signal), last.createdAt.getTime());
      if (!this.titles.has(id)) await this.api.threads.get(id).then(({ title }) => this.titles.set(id, title), () => {});
    } catch (error) {
      const problem = problemOf(error);
      if (problem.status === 401) this.signIn = true;
      if (passes(problem) && this.open.get(id)?.state === "ready") this.failed(problem); // what is shown stays, and is asked for again
      else this.edit(id, { state: "failed", problem });
    }
    this.changed();
  }

  earlier(): void {
    const entries = this.conversation?.entries;
    if (entries?.[0]) void this.load(this.selected, entries[0].id);
  }

  /** Asks in the selected thread, or in a new one. */
  ask(content: string, replaces?: string): void {
    const id = this.selected || newId();
    if (this.isRunning(id)) return;
    const question = newId(), answer = newId(), now = new Date();
    if (!this.open.has(id)) this.open.set(id, { id, entries: [], state: "ready", earlier: false });
    if (!this.titles.has(id)) {
      const title = unwrap(content).slice(0, 80);
      this.titles.set(id, title);
      if (this.folder === "chats" && !this.search)
        this.threads = [{ id, threadId: id, title, createdAt: now, updatedAt: now, archived: false, metadata: {} }, ...this.threads];
    }
    const nothing = { createdAt: now, usage: null };
    this.edit(id, {
      entries: [...this.open.get(id)!.entries, { ...nothing, id: question, role: "user", content, status: "complete", replaces },
        { ...nothing, id: answer, role: "assistant", content: "", status: "streaming" }],
    });
    this.select(id);
    void this.show(id, answer, signal => this.api.answer({ content, thread: id, id: question, answer, replaces }, signal), Date.now());
  }

  /** Shows an answer while it is written, whether its thread is looked at or not. */
  private async show(thread: string, entry: string, events: (signal: AbortSignal) => AsyncGenerator<Event>, began: number): Promise<void> {
    const running: Running = { entry, began, heard: Date.now(), stopping: false, lost: false, typed: "" };
    const update = (patch: Partial<Running>) => this.edit(thread, { running: Object.assign(running, patch) });
    let text = "";
    this.edit(thread, { running });
    this.changed();
    await this.first;
    try {
      for await (const event of events(new AbortController().signal)) {
        running.heard = Date.now();
        if (event.type === "run") {
          update({ run: event.run });
          this.editEntry(thread, entry, { model: event.model });
          this.channel?.postMessage(thread);
          if (running.stopping) void this.stop(thread);
        } else if (event.type === "delta") {
          if (!text) this.editEntry(thread, entry, { first: Date.now() - began });
          this.editEntry(thread, entry, { content: (text += event.text) + running.typed });
        } else if (event.type === "usage") {
          this.editEntry(thread, entry, { usage: event.usage });
        } else if (event.type === "error") {
          this.editEntry(thread, entry, { problem: event.problem });
        } else if (event.type === "done") {
          this.editEntry(thread, entry, { status: event.status, took: Date.now() - began });
        } else {
          update({ lost: event.type === "lost" });
        }
        this.grew();
      }
    } catch (error) {
      await this.broken(thread, entry, problemOf(error));
    }
    this.edit(thread, { running: undefined });
    this.changed();
    if (running.typed) void this.keep(thread, entry, running.typed);
    void this.list();
  }

  /** What the store has of an answer that could not be followed to its end; and, when nothing of it, why. */
  private async broken(thread: string, entry: string, problem: Problem): Promise<void> {
    if (problem.status === 401) this.signIn = true;
    const kept = await this.api.messages.list(thread).then(all => all.find(message => message.id === entry), () => undefined);
    if (kept && kept.status !== "streaming" && kept.status !== "error") this.editEntry(thread, entry, entryOf(kept));
    else this.editEntry(thread, entry, { status: "error", problem });
  }

  async stop(thread = this.selected): Promise<void> {
    const running = this.open.get(thread)?.running;
    if (!running) return;
    running.stopping = true;
    this.edit(thread, { running });
    this.changed();
    const stop = running.run ? this.api.runs.stop(running.run) : this.api.runs.stopIn(thread); // or, when even that is too early, by its name
    await stop.catch(error => { running.stopping = false; this.failed(error); });
  }

  /** What was typed into an answer's form. The client tells it behind the text that it has drawn, and draws late: the end of an
   *  answer a moment after it is there. So what was typed is all that is taken of it; and kept when there is a whole answer. */
  async keep(thread: string, id: string, drawn: string): Promise<void> {
    const conversation = this.open.get(thread), answer = conversation?.entries.find(entry => entry.id === id), typed = typedIn(drawn);
    if (!answer) return;
    if (conversation!.running?.entry === id) {
      conversation!.running.typed = typed;
      return;
    }
    const content = answer.content.replace(TYPED, "") + typed;
    this.editEntry(thread, id, { content });
    this.changed();
    await this.api.messages.replace(thread, id, content).catch(error => this.failed(error));
  }

  /** A button, a form or a follow-up of an answer. What is no word of C1's own is the page's: it is told to whoever listens. */
  act({ type, params, llmFriendlyMessage }: Action): void {
    if (type === "open_url") {
      if (/^https?:/i.test(String(params?.url))) open(String(params!.url), "_blank", "noopener,noreferrer");
    } else if (!type || type === "continue_conversation") {
      this.ask(String(params?.llmFriendlyMessage ?? llmFriendlyMessage ?? ""));
    } else {
      dispatchEvent(new CustomEvent("c1d-action", { detail: { type, params, thread: this.selected } }));
    }
  }

  // --- who is asking ---
  askToken(): void {
    this.signIn = true;
    this.changed();
  }

  leaveSignIn(): void {
    this.signIn = false;
    this.changed();
  }

  get hasToken(): boolean {
    return this.token !== "";
  }

  async useToken(token: string): Promise<boolean> {
    this.token = token.trim();
    try {
      await this.api.threads.list({ limit: 1 });
    } catch (error) {
      this.token = sessionStorage.getItem(TOKEN) ?? "";
      this.failed(error);
      return false;
    }
    if (this.token) sessionStorage.setItem(TOKEN, this.token);
    else sessionStorage.removeItem(TOKEN);
    this.signIn = false;
    this.open.clear();
    this.claimed = this.token ? await this.api.claim().catch(() => 0) : 0;
    await this.list();
    if (this.selected) {
      const id = this.selected;
      this.selected = "";
      this.select(id);
    }
    return true;
  }

  signOut(): void {
    this.token = "";
    sessionStorage.removeItem(TOKEN);
    this.open.clear();
    this.titles.clear();
    this.threads = [];
    this.select("");
    void this.list();
  }
}
