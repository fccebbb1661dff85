// Two people with a browser each on one site of visitors: what each sees, what the second gets of the first by every route,
// what forged cookies are worth, and what a page of another origin can do to the first.
//
//     node two_visitors.mjs URL ELSEWHERE... FOLDER
//
// ELSEWHERE: addresses of tests/page/elsewhere.html under other origins. Prints {"want": "restart"} and waits for a line when
// c1d is to be restarted; last, one JSON object with all that was seen. FOLDER gets pictures and the browsers' profiles.
import { createInterface } from "node:readline";
import { launchAt, PATIENCE_MS } from "./browser.mjs";

const [url, ...rest] = process.argv.slice(2);
const folder = rest.pop(), elsewhere = rest;
const seen = { stations: {}, errors: [] };
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function want(what) {
  console.log(JSON.stringify({ want: what }));
  await answers.next();
}

// --- a person: a browser of their own, with a profile that outlives it ---
async function open(name) {
  const context = await launchAt(`${folder}/${name}`, ["--ignore-certificate-errors"], { ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 } });
  const page = context.pages()[0] ?? await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("pageerror", error => seen.errors.push(`${name}: ${error.message}`));
  await page.goto(url);
  const composer = page.getByPlaceholder("Type your message...");
  await composer.waitFor();
  const sidebar = page.locator("[class*=sidebar]").first();
  const idle = page.locator("[class*=thread-composer] button").last().locator(".lucide-arrow-up");
  return {
    name, context, page, sidebar,
    async ask(text, shown) {
      await composer.fill(text);
      await composer.press("Enter");
      await page.getByText(shown).first().waitFor();
    },
    idle: () => idle.waitFor(),
    titles: async () => (await sidebar.locator(".crayon-shell-thread-button").allInnerTexts()).map(text => text.trim()),
    cookies: async () => (await context.cookies(url)).filter(cookie => cookie.name.endsWith("c1d_visitor")),
  };
}

// What a request from this page gets: [status, text].
const send = (who, method, path, body, headers) => who.page.evaluate(async ([method, path, body, headers]) => {
  const answer = await fetch(path, { method, body: body && JSON.stringify(body),
    headers: { ...(body && { "Content-Type": "application/json" }), ...headers } });
  const reader = answer.body?.getReader();
  const whole = answer.headers.get("Content-Type")?.includes("json"); // a live stream has no end
  let text = "";
  for (const end = Date.now() + 20000; reader && Date.now() < end && (whole || text.length < 4000);) {
    const { done, value } = await reader.read();
    if (done)
      break;
    text += new TextDecoder().decode(value, { stream: true });
  }
  reader?.cancel();
  return [answer.status, text];
}, [method, path, body, headers]);

const station = async (name, visit) => { seen.stations[name] = (await visit()) ?? true; };

// A body that each route takes, so that nothing but its owner stands between the request and what it names.
const bodies = of => ({
  "POST /api/threads/{id}/messages": { role: "user", content: "planted" },
  "PATCH /api/threads/{id}": { title: "planted" }, "PUT /api/threads/{id}": { title: "planted" },
  "PUT /api/threads/{id}/messages/{mid}": { content: "planted" },
  "PATCH /api/threads/{id}/messages/{mid}": { content: "planted" },
  "PUT /api/thread/{id}": { title: "planted" }, "PUT /threads/{id}": { title: "planted" },
  "PATCH /api/openui/update/{id}": { title: "planted" },
  "POST /api/thread/{id}/message": { role: "user", content: "planted" },
  "PUT /api/thread/{id}/message": { id: of.message, content: "planted" },
  "PUT /threads/{id}/message": { id: of.message, content: "planted" },
});

// Every route that names something, with what is Ada's in it.
async function everyRoute(who, of) {
  const [, text] = await send(who, "GET", "/api/openapi.json");
  const found = {};
  for (const [path, methods] of Object.entries(JSON.parse(text).paths))
    for (const method of Object.keys(methods).map(word => word.toUpperCase()).filter(() => path.includes("{"))) {
      const id = path.startsWith("/api/runs/") ? of.run : of.thread;
      const body = bodies(of)[`${method} ${path}`];
      found[`${method} ${path}`] = await send(who, method, path.replace("{id}", id).replace("{mid}", of.message), body);
    }
  return found;
}

// What Ada has, by her own browser.
async function all(who) {
  const threads = JSON.parse((await send(who, "GET", "/api/threads"))[1]);
  const messages = {};
  for (const { id } of threads)
    messages[id] = JSON.parse((await send(who, "GET", `/api/threads/${id}/messages`))[1]);
  return { threads, messages };
}

function forgeries(mine, theirs) {
  const [version, id, made, mac] = mine.split("."), other = theirs.split(".");
  const flipped = mac.slice(0, 9) + (mac[9] === "A" ? "B" : "A") + mac.slice(10);
  return {
    "another's id": [version, other[1], made, mac], "another's id and time": [version, other[1], other[2], mac],
    "another's mac": [version, id, made, other[3]], "a mac of nothing": [version, other[1], other[2], "A".repeat(43)],
    "no mac": [version, other[1], other[2], ""], "no mac at all": [version, other[1], other[2]],
    "another bit": [version, id, made, flipped], "cut": [version, id, made, mac.slice(0, 42)],
    "cut in half": [version, id, made, mac.slice(0, 21)], "longer": [version, id, made, mac + "A"],
    "another version": ["v2", id, made, mac], "made later": [version, id, String(Number(made) + 1), mac],
    "made in another spelling": [version, id, "0" + made, mac], "only the id": [other[1]], "nothing": [""],
    "another place of the dot": [version, id.slice(0, 21), id[21] + made, mac], "a name": ["visitor-" + other[1]],
  };
}

try {
  let ada = await open("ada"), bob = await open("bob");
  await station("each asked", async () => {
    await ada.ask("Show me a form", "Please fill in the form.");
    await ada.idle();
    await bob.ask("Show me a table", "Quarterly sales");
    await bob.idle();
    await ada.sidebar.getByText("Show me a form").waitFor();
    await bob.sidebar.getByText("Show me a table").waitFor();
  });
  await station("cookies", async () => ({ ada: await ada.cookies(), bob: await bob.cookies(),
    script: [await ada.page.evaluate(() => document.cookie), await bob.page.evaluate(() => document.cookie)] }));
  await station("reloaded", async () => {
    for (const who of [ada, bob]) {
      await who.page.reload();
      await who.sidebar.locator(".crayon-shell-thread-button").first().waitFor();
    }
    await ada.page.screenshot({ path: `${folder}/ada.png` });
    await bob.page.screenshot({ path: `${folder}/bob.png` });
    return { ada: await ada.titles(), bob: await bob.titles() };
  });

  // Ada has an answer under way meanwhile, so that there is a run to take.
  await ada.ask("fault:endless;pace=20", /x{40}/);
  const before = await all(ada);
  const thread = before.threads[0].id;
  const [run] = JSON.parse((await send(ada, "GET", `/api/threads/${thread}/runs?active=1`))[1]);
  const of = { thread, run: run.id, message: before.messages[thread][0].id };
  await station("bob on every route", () => everyRoute(bob, of));
  await station("bob asks in her thread", () => send(bob, "POST", "/api/chat", { thread_id: thread, message: "planted" }));
  await station("bob lists", async () => {
    const mine = (await send(bob, "GET", "/api/threads"))[1];
    const name = before.threads[0].user_id;
    return [mine, ...await Promise.all([`user_id=${name}`, "q=form", "archived=true", "limit=100"].map(async query =>
      (await send(bob, "GET", `/api/threads?${query}`))[1]))];
  });
  seen.thread = thread;
  await station("forged", async () => {
    const [hers] = await ada.cookies(), [his] = await bob.cookies(), found = {};
    for (const [name, parts] of Object.entries(forgeries(his.value, hers.value))) {
      await bob.context.addCookies([{ ...his, value: parts.join(".") }]);
      found[name] = await send(bob, "GET", "/api/threads");
    }
    await bob.context.addCookies([his]);
    found.his = await send(bob, "GET", "/api/threads");
    return found;
  });

  await station("elsewhere", async () => {
    const found = {};
    for (const place of elsewhere) {
      const page = await ada.context.newPage();
      await page.goto(`${place}?${new URLSearchParams({ url, ...of })}`);
      await page.waitForFunction(() => window.tried?.done);
      found[new URL(place).origin] = await page.evaluate(() => window.tried);
      await page.close();
    }
    return found;
  });

  // Whatever was tried: her answer still runs, and what she had is as it was.
  await station("hers after all", async () => {
    const after = await all(ada), { status } = JSON.parse((await send(ada, "GET", `/api/runs/${of.run}`))[1]);
    const stopped = JSON.parse((await send(ada, "POST", `/api/runs/${of.run}/stop`))[1]);
    const contents = ({ threads, messages }) => [threads.map(({ id, title }) => [id, title]),
      Object.entries(messages).map(([id, list]) => [id, list.filter(m => m.status === "complete").map(m => [m.id, m.content])])];
    return { status, stopped: stopped.status, before: contents(before), after: contents(after),
      count: [before, after].map(({ messages }) => messages[thread].length) };
  });

  await want("restart");
  await station("after a restart of c1d", async () => {
    const found = {};
    for (const who of [ada, bob]) {
      await who.page.reload();
      await who.sidebar.locator(".crayon-shell-thread-button").first().waitFor();
      found[who.name] = await who.titles();
    }
    return found;
  });
  await station("after a restart of the browser", async () => {
    const [cookie] = await ada.cookies();
    await ada.context.close();
    ada = await open("ada");
    await ada.sidebar.getByText("Show me a form").click();
    await ada.page.getByText("Please fill in the form.").waitFor();
    return { ada: await ada.titles(), same: (await ada.cookies())[0]?.value === cookie.value };
  });
  await ada.context.close();
  await bob.context.close();
} catch (error) {
  seen.errors.push(String(error.stack ?? error));
}
console.log(JSON.stringify(seen));
process.exit(0);
