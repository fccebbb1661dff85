/* c1d's client in one file, with no dependency: for a page of your own, or for the stock C1Chat of @thesysai/genui-sdk.
 *
 *     const chat = c1d();                                               // c1d({ headers }) where people sign in by a token
 *     const list = useThreadListManager(chat.threadList);
 *     const thread = chat.attach(useThreadManager(chat.threadOf(list)));
 *     <C1Chat threadListManager={list} threadManager={thread} />
 *
 * An answer goes on when the tab is closed, reloaded or shows another thread, and is there, still streaming, when somebody comes
 * back. The stop button, and nothing else, stops the model. A connection that breaks is taken up again where it broke: no byte is
 * missing and none comes twice. Failures are cards in the chat. The interfaces are those of /api/openapi.json; times are Dates. */

export type Status = "streaming" | "complete" | "length" | "stopped" | "error" | "interrupted";

export interface Thread {
  id: string;
  threadId: string;
  title: string;
  createdAt: Date;
  updatedAt: Date;
  archived: boolean;
  metadata: Record<string, unknown>;
}

export interface Usage {
  input_tokens: number;
  output_tokens: number;
  total_tokens: number;
}

export interface Message {
  id: string;
  role: "user" | "assistant" | "system" | "tool";
  content: string;
  status: Status;
  run_id?: string;
  createdAt: Date;
  updatedAt: Date;
  finish_reason: string | null;
  usage: Usage | null;
  model: string | null;
  metadata: Record<string, unknown>;
}

export interface Run {
  id: string;
  thread_id: string;
  message_id: string;
  status: Status;
  bytes: number;
  finish_reason: string | null;
  usage: Usage | null;
}

/** What an answer consists of, in order. After `lost` the connection is tried again, until `found`. `done` is last. */
export type Event =
  | { type: "run"; run: string; thread: string; message: string; model: string }
  | { type: "delta"; text: string }
  | { type: "usage"; usage: Usage }
  | { type: "error"; problem: Problem }
  | { type: "done"; status: Status }
  | { type: "lost" }
  | { type: "found" };

export interface Question {
  /** Text of the user; in C1 form already when it comes from a button or a form of an answer. */
  content: string;
  thread: string;
  id?: string;
  /** The answer's id. The same question under it is answered once, however often it is sent. */
  answer?: string;
  model?: string;
  /** A question of this thread that this one is asked in place of: the model is not told of that one, and what followed it, any more. */
  replaces?: string;
  /** Kept with the question. */
  metadata?: Record<string, unknown>;
}

export interface Options {
  /** Where the API is, when not on the page's own origin: "https://chat.example.org". */
  base?: string;
  /** More headers of each request, such as { Authorization: `Bearer ${token}` }; asked each time. */
  headers?: () => Record<string, string> | Promise<Record<string, string>>;
}

/** An error as c1d says it (RFC 9457). `status` 0: c1d could not be reached. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly retryAfter = 0,
    readonly requestId = "",
  ) {
    super(detail || title);
    this.name = "Problem";
  }

  /** What the person in front of the page can do about it. */
  get advice(): string {
    if (this.status === 401) return "Sign in, then ask again.";
    if (this.status === 403) return "Sign in as the user whose conversation it is.";
    if (this.status === 404) return "It may have been deleted. Begin a new chat.";
    if (this.status === 409) return "Wait for the answer that is being written, or stop it.";
    if (this.status === 413) return "Shorten the question.";
    if (this.status === 429)
      return this.retryAfter ? `Ask again in ${this.retryAfter} s.` : "Ask again in a moment.";
    if (this.status === 0) return "Check the connection, then try again.";
    return "Try again. Your question is kept.";
  }
}

/** The text of a user's message as the model and the C1 client read it. */
export const wrap = (text: string): string =>
  /^<content thesys="true"[^<>]*>[^<]*<\/content>(<context>[^<]*<\/context>)?$/.test(text) ? text : `<content thesys="true">${escape(text)}</content>`;

/** What a person reads of a user's message. */
export function unwrap(content: string): string {
  const found = /^<content[^>]*>([\s\S]*?)<\/content>/.exec(content);
  return found ? unescape(found[1]!) : content;
}

const NAMES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (text: string): string => text.replace(/[&<>"']/g, mark => NAMES[mark]!);
const unescape = (text: string): string =>
  text.replace(/&(amp|lt|gt|quot|#39);/g, name => Object.keys(NAMES).find(mark => NAMES[mark] === name)!);

/** A failure as an answer that the C1 client shows. A new <content> takes the place of what was there before. */
export function card({ title, detail, advice }: Problem): string {
  const callout = { component: "CalloutV2", props: { variant: "danger", title, description: `${detail} ${advice}`.trim() } };
  return `<content thesys="true">${escape(JSON.stringify({ component: { component: "Card", props: { children: [callout] } }, error: null }))}</content>`;
}

/** A UUIDv4, also where crypto.randomUUID is not to be had: over plain HTTP. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 15) | 64;
  bytes[8] = (bytes[8]! & 63) | 128;
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

type Json = Record<string, any>;
const dated = (it: Json): Json => ({ ...it, createdAt: new Date(it.createdAt), updatedAt: new Date(it.updatedAt) });
const UNREACHABLE = new Problem(0, "unreachable", "No connection", "The chat service cannot be reached.");
const STRANGER = new Problem(-1, "stranger", "No chat service", "Something else than the chat service answers at its address: a sign-in page, perhaps.");
const PATIENCE_MS = 45_000; // three heartbeats of c1d missed: the connection is dead, whatever the browser believes
const REPLACES = 60; // ten minutes: of an answer that is still being written
const RESENDS = 5; // of a question, while c1d or its store is away; the question's name makes sure that it is answered once

/** What ends by itself: c1d or its store is away, or a proxy in between does not reach c1d, and says so in words of its own. */
const passes = ({ status, code }: Problem): boolean => status === 503 || (status >= 500 && code === "unknown");

async function problemOf(response: Response): Promise<Problem> {
  const body: Json = await response.json().catch(() => ({}));
  const after = Number(response.headers.get("Retry-After")) || body.retry_after || 0;
  return new Problem(response.status, body.code ?? "unknown", body.title ?? `Error ${response.status}`,
    body.errors?.[0] ? `${body.errors[0].field}: ${body.errors[0].reason}` : body.detail ?? "", after, body.request_id ?? "");
}

/** Waits, but no longer than until the browser is online again. */
function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(end, ms);
    function end() {
      clearTimeout(timer);
      globalThis.removeEventListener?.("online", end);
      signal?.removeEventListener("abort", end);
      resolve();
    }
    globalThis.addEventListener?.("online", end);
    signal?.addEventListener("abort", end);
  });
}

/** Server-Sent Events of a body, as they come; returns when it ends or breaks. `alive` is called with each piece. */
async function* read(body: ReadableStream<Uint8Array>, alive: () => void): AsyncGenerator<{ id: string; event: string; data: any }> {
  const reader = body.getReader(), decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      text += decoder.decode(value, { stream: true });
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        const fields: Record<string, string> = {};
        for (const line of text.slice(0, end).split("\n")) {
          const colon = line.indexOf(": ");
          if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
        }
        if (fields.data) yield { id: fields.id ?? "", event: fields.event ?? "", data: JSON.parse(fields.data) };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** The id of the event that was read last, RUN.BYTES: a resume goes on right behind it. */
interface Seen {
  id: string;
}

const runOf = (id: string): string => id.replace(/\.\d+$/, "");

function eventOf(event: string, data: any): Event | null {
  switch (event) {
    case "run": return { type: "run", run: data.run_id, thread: data.thread_id, message: data.message_id, model: data.model ?? "" };
    case "delta": return { type: "delta", text: data };
    case "usage": return { type: "usage", usage: data };
    case "error": return { type: "error", problem: new Problem(data.status, data.code, data.title, data.detail ?? "", data.retry_after, data.request_id) };
    case "done": return { type: "done", status: data.status };
    default: return null; // of a newer c1d
  }
}

type Manager = { isRunning?: boolean; onCancel(): void; updateMessage(message: any): void };
type StockQuestion = { threadId: string; responseId: string; messages: { id: string; content: string }[]; abortController: AbortController };
export type Client = ReturnType<typeof c1d>;

export function c1d({ base = "", headers = () => ({}) }: Options = {}) {
  async function send(method: string, path: string, body?: unknown, more: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
    const type: Record<string, string> = body === undefined ? {} : { "Content-Type": "application/json" };
    return fetch(base + path, {
      method, signal, body: body === undefined ? undefined : JSON.stringify(body), credentials: base ? "include" : "same-origin",
      headers: { ...type, ...more, ...(await headers()) },
    });
  }

  async function ask(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await send(method, path, body).catch(error => { throw error instanceof Problem ? error : UNREACHABLE; });
    if (!response.ok) throw await problemOf(response);
    return response;
  }
  const jsonOf = (response: Response): Promise<any> => response.json().catch(() => { throw STRANGER; });
  const call = async (method: string, path: string, body?: unknown): Promise<any> => jsonOf(await ask(method, path, body));
  const at = (thread: string): string => `/api/threads/${encodeURIComponent(thread)}`;

  const threads = {
    /** A page of them, the last changed first, and where the next page is. */
    async list(filter: { q?: string; archived?: boolean; limit?: number } = {}, next = ""): Promise<{ threads: Thread[]; next: string }> {
      const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]));
      const response = await ask("GET", next || `/api/threads?${query}`);
      const link = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("Link") ?? "");
      return { threads: ((await jsonOf(response)) as Json[]).map(dated) as Thread[], next: link ? link[1]!.replace(/^https?:\/\/[^/]+/, "") : "" };
    },
    get: async (id: string): Promise<Thread> => dated(await call("GET", at(id))) as Thread,
    create: async (firstMessage: string): Promise<Thread> =>
      dated(await call("POST", "/api/threads", { firstMessage: { message: firstMessage } })) as Thread,
    change: async (id: string, patch: { title?: string; archived?: boolean; metadata?: object }): Promise<Thread> =>
      dated(await call("PATCH", at(id), patch)) as Thread,
    remove: (id: string): Promise<void> => call("DELETE", at(id)),
  };

  const puts = new Map<string, Promise<void>>();

  const messages = {
    /** The newest 200, oldest first; `before` an id: those before it. */
    list: async (thread: string, before = ""): Promise<Message[]> =>
      ((await call("GET", `${at(thread)}/messages${before && `?before=${encodeURIComponent(before)}`}`)) as Json[]).map(dated) as Message[],
    /** Replaces what an answer says, as after a form was filled in. While the answer is being written it waits. One goes after the
     *  other, and of those that wait the newest only: what was typed last is what is kept. */
    replace(thread: string, id: string, content: string): Promise<void> {
      const key = `${thread} ${id}`, mine = (puts.get(key) ?? Promise.resolve()).catch(() => {}).then(async () => {
        for (let tries = 0; puts.get(key) === mine; tries++) {
          try {
            return await call("PUT", `${at(thread)}/messages/${encodeURIComponent(id)}`, { content });
          } catch (error) {
            if (!(error instanceof Problem) || error.status !== 409 || tries >= REPLACES) throw error;
            await pause(Math.min(10_000, (error.retryAfter || 1) * 1000 * 2 ** tries));
          }
        }
      }).finally(() => { if (puts.get(key) === mine) puts.delete(key); });
      puts.set(key, mine);
      return mine;
    },
  };

  const runs = {
    get: (id: string): Promise<Run> => call("GET", `/api/runs/${id}`),
    active: (thread: string): Promise<Run[]> => call("GET", `${at(thread)}/runs?active=1`),
    /** Stops the model. Answers when its connection is closed and what there is of the answer is saved. */
    stop: (id: string): Promise<{ status: Status; upstream_closed: boolean; bytes: number }> => call("POST", `/api/runs/${id}/stop`),
    /** The same for whatever is being written in a thread: an answer tells its run with its first text only. */
    stopIn: async (thread: string): Promise<void> => void (await Promise.all((await runs.active(thread)).map(({ id }) => runs.stop(id)))),
  };

  /** Who has just signed in takes along what this browser had as a visitor: how many threads came. */
  const claim = async (): Promise<number> => (await call("POST", "/api/me/claim")).claimed;

  /** One attempt at a stream: its events, until it ends; true when the answer has. */
  async function* attempt(request: (signal: AbortSignal) => Promise<Response>, seen: Seen, signal: AbortSignal | undefined, found: () => Event[]): AsyncGenerator<Event, boolean> {
    const mine = new AbortController(), leave = () => mine.abort();
    let timer = setTimeout(leave, PATIENCE_MS);
    signal?.addEventListener("abort", leave);
    globalThis.addEventListener?.("offline", leave);
    try {
      const response = await request(mine.signal);
      if (response.status === 204) {
        yield* found();
        yield { type: "done", status: (await runs.get(runOf(seen.id))).status };
        return true;
      }
      if (!response.ok) throw await problemOf(response);
      if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) throw STRANGER;
      yield* found();
      const alive = () => { clearTimeout(timer); timer = setTimeout(leave, PATIENCE_MS); };
      for await (const { id, event, data } of read(response.body!, alive)) {
        const isGreeting = event === "run" && seen.id !== ""; // who comes back hears at once whose answer it is, again
        if (id) seen.id = id;
        const told = isGreeting ? null : eventOf(event, data);
        if (told) yield told;
        if (told?.type === "done") return true;
      }
      return false;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", leave);
      globalThis.removeEventListener?.("offline", leave);
      mine.abort();
    }
  }

  /** The events of an answer, over as many connections as it takes. Throws a Problem that another attempt does not mend. */
  async function* events(first: (signal: AbortSignal) => Promise<Response>, signal?: AbortSignal): AsyncGenerator<Event> {
    const seen: Seen = { id: "" };
    let lost = false, failed = 0;
    for (let tries = 0; !signal?.aborted; tries++) {
      const resume = (mine: AbortSignal) => send("GET", `/api/runs/${runOf(seen.id)}/stream?stream=sse`, undefined, { "Last-Event-ID": seen.id }, mine);
      const found = (): Event[] => { const told: Event[] = lost ? [{ type: "found" }] : []; lost = false; tries = failed = 0; return told; };
      let wait = Math.min(10_000, 300 * 2 ** tries);
      try {
        if (yield* attempt(seen.id ? resume : first, seen, signal, found)) return;
      } catch (error) {
        if (error instanceof Problem && error.status) {
          const goesOn = seen.id !== ""; // asking for the rest costs nothing, so nobody loses patience
          if (!passes(error) && !(goesOn && error.status === 429)) throw error;
          if (!goesOn && ++failed > RESENDS) throw error;
          wait = Math.max(wait, error.retryAfter * 1000);
        }
      }
      if (signal?.aborted) return;
      if (!lost) yield { type: "lost" };
      lost = true;
      await pause(wait, signal);
    }
  }

  /** Asks, and yields the answer as it is written. Aborting leaves; the answer is finished all the same (runs.stop stops it). */
  function answer({ content, thread, id = newId(), answer: responseId = newId(), model, replaces, metadata: more }: Question, signal?: AbortSignal): AsyncGenerator<Event> {
    const metadata = replaces ? { ...more, replaces } : more;
    const body = { prompt: { id, role: "user", content: wrap(content) }, threadId: thread, responseId, model, metadata };
    return events(mine => send("POST", "/api/chat?stream=sse", body, {}, mine), signal);
  }

  /** Follows an answer that is being written, from its first byte. */
  function follow(run: string, signal?: AbortSignal): AsyncGenerator<Event> {
    return events(mine => send("GET", `/api/runs/${run}/stream?stream=sse`, undefined, {}, mine), signal);
  }

  // --- for the stock client ---
  const stock: { manager?: Manager; thread?: string; run?: string; stopping?: boolean; follower?: AbortController; turn?: object } = {};

  function leave(): void {
    stock.follower?.abort();
    stock.follower = stock.run = stock.stopping = undefined; // a stop that came too late for one answer is none of the next
  }

  /** The text of an answer, piece by piece; a failure is a card in its place. */
  async function* pieces(events: AsyncGenerator<Event>): AsyncGenerator<string> {
    const turn = (stock.turn = {});
    try {
      for await (const event of events) {
        if (event.type === "run") stock.run = event.run;
        if (event.type === "run" && stock.stopping) runs.stop(event.run).catch(() => {});
        if (event.type === "delta") yield event.text;
        if (event.type === "error") yield card(event.problem);
      }
    } catch (error) {
      yield card(error instanceof Problem ? error : new Problem(0, "unknown", "Something went wrong", String(error)));
    } finally {
      if (stock.turn === turn) stock.run = stock.stopping = undefined; // else somebody already looks at another answer
    }
  }

  /** An answer that somebody comes back to goes on in the list of messages. */
  async function goOn(thread: string, id: string, run: string): Promise<void> {
    const mine = (stock.follower = new AbortController());
    stock.run = run;
    const show = (content: string) =>
      stock.manager?.updateMessage({ id, role: "assistant", message: [{ type: "template", name: "c1", templateProps: { content } }] });
    let text = "", shown = 0;
    for await (const piece of pieces(follow(run, mine.signal))) {
      text += piece;
      if (stock.follower === mine && Date.now() - shown > 70) show(text), (shown = Date.now());
    }
    if (stock.follower !== mine) return;
    const whole = await messages.list(thread).then(all => all.find(message => message.id === id), () => undefined);
    if (stock.follower !== mine) return;
    leave(); // first, so that what is drawn next has no stop button any more
    show(whole?.content || text);
  }

  /** What useThreadListManager takes. */
  const threadList = {
    fetchThreadList: async (): Promise<Thread[]> => (await threads.list({ limit: 100 })).threads,
    createThread: (first: { message?: string }): Promise<Thread> => threads.create(first.message ?? ""),
    updateThread: ({ threadId, title }: { threadId: string; title: string }): Promise<Thread> => threads.change(threadId, { title }),
    deleteThread: threads.remove,
    onSelectThread() {},
    onSwitchToNew(): void {
      leave();
      stock.thread = undefined;
    },
  };

  /** What useThreadManager takes; `list` is what useThreadListManager gave. */
  const threadOf = <List extends { selectedThreadId: string | null }>(list: List) => ({
    threadListManager: list,
    async loadThread(thread: string): Promise<{ id: string; role: "user" | "assistant"; content: string }[]> {
      leave();
      stock.thread = thread;
      const all = (await messages.list(thread)).filter(({ role }) => role === "user" || role === "assistant"), last = all.at(-1);
      if (last?.status === "streaming" && last.run_id && stock.thread === thread) void goOn(thread, last.id, last.run_id);
      return all.map(({ id, role, content }) => ({ id, role: role as "user" | "assistant", content: role === "user" ? wrap(content) : content }));
    },
    async processMessage({ threadId, messages: said, responseId, abortController }: StockQuestion): Promise<Response> {
      leave();
      stock.thread = threadId;
      const { id, content } = said.at(-1)!, encoder = new TextEncoder();
      const text = pieces(answer({ id, content, thread: threadId, answer: responseId }, abortController.signal));
      return new Response(new ReadableStream({
        async pull(body) {
          const { done, value } = await text.next();
          if (done) body.close();
          else body.enqueue(encoder.encode(value));
        },
        cancel: () => abortController.abort(),
      }));
    },
    onUpdateMessage: ({ message: { id, content = "" } }: { message: { id: string; content?: string } }): void =>
      void messages.replace(list.selectedThreadId!, id, content),
  });

  /** The manager that C1Chat is to get: the one of useThreadManager, but its stop button stops the model. Everything else that
   *  makes the client hang up (another thread, a reload, a closed tab) leaves the answer running. */
  function attach<M extends Manager>(manager: M): M {
    stock.manager = manager;
    const onCancel = () => {
      if (stock.run) return void runs.stop(stock.run).catch(() => manager.onCancel());
      stock.stopping = true; // as soon as the run has a name, if it is too early for this:
      if (stock.thread) void runs.stopIn(stock.thread).catch(() => manager.onCancel());
    };
    return { ...manager, isRunning: manager.isRunning || stock.follower !== undefined, onCancel };
  }

  return { threads, messages, runs, claim, answer, follow, threadList, threadOf, attach };
}
