// c1d.ts by itself, against answers that are written down here: what a real c1d gives seldom, or what something else gives.
//
//     node client.mjs C1D.MJS
//
// Prints one JSON object with what was seen. No clock decides anything: waits of the client are over at once.
const wait = globalThis.setTimeout;
globalThis.setTimeout = (act, ms, ...more) => wait(act, ms > 20_000 ? ms : 0, ...more); // but for its patience
const { c1d, Problem } = await import(process.argv[2]);

const seen = {}, asked = [];
let answers = [];
globalThis.fetch = async (url, { method, headers, body, signal }) => {
  asked.push({ method, url, last: headers["Last-Event-ID"] ?? "", body: body && JSON.parse(body) });
  const next = answers.shift();
  if (!next) { // an error of the network would be tried again for ever
    process.stdout.write(`${JSON.stringify({ ...seen, missing: `${method} ${url}` })}\n`, () => process.exit());
    return new Promise(() => {});
  }
  return typeof next === "function" ? next(signal) : next;
};
const json = (body, status = 200, headers = {}) => new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });
const event = (name, at, data) => `id: r1.${at}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const greeting = at => event("run", at, { run_id: "r1", thread_id: "t1", message_id: "m1" });
const run = greeting(0), done = at => event("done", at, { status: "complete" });
const sse = (...events) => new Response(events.join(""), { headers: { "Content-Type": "text/event-stream; charset=utf-8" } });
const cut = (...events) => new Response(new ReadableStream({
  start(body) { body.enqueue(new TextEncoder().encode(events.join(""))); },
  pull(body) { body.error(new TypeError("cut")); },
}), { headers: { "Content-Type": "text/event-stream" } });
/** A stream that stays open until somebody hangs up. */
const open = (...events) => signal => new Response(new ReadableStream({
  start(body) {
    body.enqueue(new TextEncoder().encode(events.join("")));
    signal.addEventListener("abort", () => body.error(signal.reason));
  },
}), { headers: { "Content-Type": "text/event-stream" } });

async function until(condition) {
  for (let i = 0; !condition() && i < 2000; i++) await new Promise(resolve => wait(resolve));
}

async function told(...given) {
  answers = given;
  asked.length = 0;
  const seen = { text: "", events: [] };
  try {
    for await (const { type, text } of c1d().answer({ content: "?", thread: "t1", answer: "m1" })) {
      if (type === "delta") seen.text += text;
      else seen.events.push(type);
    }
  } catch (error) {
    seen.problem = error instanceof Problem ? error.code : String(error);
  }
  return { ...seen, asked: asked.map(({ method, last }) => `${method} ${last}`.trim()), left: answers.length };
}

// Who comes back is greeted, though nothing is new yet, and goes on behind the byte that was read last.
seen.pieces = await told(cut(run, event("delta", 4, "abcd"), event("delta", 10, "efghij")), cut(greeting(10)),
  sse(greeting(10), event("delta", 16, "klmnop"), done(16)));
seen.umlauts = await told(cut(run, event("delta", 4, "öö"), event("delta", 8, "üü")), sse(greeting(8), event("delta", 12, "ää"), done(12)));
seen.wordless = await told(cut(run), sse(greeting(0), event("delta", 2, "ab"), done(2)));
// A proxy that does not reach c1d has words of its own for it.
seen.proxy = await told(new Response("Bad Gateway", { status: 502 }), new Response("", { status: 500 }), sse(run, event("delta", 2, "ab"), done(2)));
seen.proxyForGood = await told(...Array.from({ length: 9 }, () => new Response("", { status: 502 })));
seen.rest = await told(cut(run, event("delta", 2, "ab")), ...Array.from({ length: 9 }, () => json({ code: "unavailable" }, 503)),
  json({ code: "rate_limited" }, 429, { "Retry-After": "3" }), sse(greeting(2), event("delta", 4, "cd"), done(4)));
seen.refused = await told(json({ code: "rate_limited", title: "Too fast" }, 429, { "Retry-After": "3" }));
seen.ourError = await told(json({ code: "internal", title: "Error" }, 500));
seen.signInPage = await told(new Response("<!doctype html>", { headers: { "Content-Type": "text/html" } }));

// Somebody types into a form: the first is on its way, the second is passed over, the third is kept.
asked.length = 0;
let letGo;
answers = [() => new Promise(resolve => { letGo = () => resolve(json({})); }), json({})];
const { messages } = c1d(), keep = content => messages.replace("t1", "m1", content), first = keep("A");
await until(() => letGo);
const others = [keep("Ad"), keep("Ada")];
letGo();
await Promise.all([first, ...others]);
seen.typed = asked.map(({ body }) => body.content);

// And what is typed while the answer is still being written is kept when it is not any more.
answers = [...Array.from({ length: 12 }, () => json({ code: "not_saved" }, 409, { "Retry-After": "1" })), json({})];
await keep("Ada L");
seen.typedEarly = answers.length;

// A stop that comes when an answer has just ended is none of the next one.
const client = c1d(), list = client.threadOf({ selectedThreadId: "t1" });
const stock = client.attach({ onCancel() {}, updateMessage() {} });
const question = () => ({ threadId: "t1", responseId: "m1", messages: [{ id: "q1", content: "?" }], abortController: new AbortController() });
answers = [sse(run, event("delta", 2, "ab"), done(2))];
seen.first = await (await list.processMessage(question())).text();
asked.length = 0;
answers = [json([]), sse(run, event("delta", 2, "cd"), done(2))];
stock.onCancel();
seen.second = await (await list.processMessage(question())).text();
seen.stops = asked.filter(({ url }) => url.endsWith("/stop")).length;

// Who comes to a thread that is being written, and stops at once, stops that one.
const streaming = { id: "m2", role: "assistant", content: "", status: "streaming", run_id: "r2", createdAt: "2026-01-01T00:00:00Z", metadata: {} };
asked.length = 0;
answers = [json([streaming]), open(), json({ status: "stopped" })];
await list.loadThread("t2");
stock.onCancel();
await until(() => !answers.length);
seen.stopped = asked.filter(({ method }) => method === "POST").map(({ url }) => url);

// Two threads one after the other; the first comes late, and is not followed any more.
asked.length = 0;
let late;
answers = [() => new Promise(resolve => { late = () => resolve(json([streaming])); }), json([])];
const left = list.loadThread("t2");
await list.loadThread("t1");
late();
await left;
seen.late = asked.map(({ url }) => url);

// The client lets go of the body: the connection goes, too.
let hungUp = false;
answers = [signal => { signal.addEventListener("abort", () => { hungUp = true; }); return open(run, event("delta", 2, "ab"))(signal); }];
const reader = (await list.processMessage(question())).body.getReader();
await reader.read();
await reader.cancel();
await until(() => hungUp);
seen.hungUp = hungUp;

process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit());
