// A visit to our own page (web/), as a person makes it:
//
//     node ours.mjs URL CONTROL TAG FOLDER
//
// CONTROL: the scripted C1 API's; TAG: of the gates that are opened there. Prints {"want": WHAT} and waits for a line when something
// is to befall the house; last, one JSON object with what was seen. FOLDER gets pictures. Nothing is waited for but what is to show.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { launch, settled, until, walk, watch } from "./browser.mjs";

const [url, control, tag, folder] = process.argv.slice(2);
const samples = new URL("../samples", import.meta.url);
const seen = { stations: {}, axe: {}, errors: [] };
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, bypassCSP: false, colorScheme: "light" });
const page = watch(await context.newPage(), url, seen.errors);

const composer = page.getByLabel("Your question"), list = page.getByRole("navigation", { name: "Chats" });
const idle = (where = page) => where.getByRole("button", { name: "Send" }).waitFor();
const busy = (where = page) => where.getByRole("button", { name: "Stop the answer" }).waitFor();
const notice = text => page.locator(".notice").filter({ hasText: text }).last().waitFor();
const last = (where = page) => where.locator("article.answer").last();
const thread = () => new URL(page.url()).hash.slice(1);
const openGate = name => fetch(`${control}/gate/${tag}-${name}/open`, { method: "POST" });
const gated = name => `sample:text fault:gate=${tag}-${name}@260`; // what a person reads first has come by then
const hungUp = async prompt => (await (await fetch(`${control}/stats`)).json()).prompts[prompt]?.early_closes ?? 0; // by c1d, before the end
/** What was typed into a form is kept; while its answer is not, the page asks again. */
const kept = () => page.waitForResponse(response => response.request().method() === "PUT" && response.status() === 200);

async function want(what) {
  console.log(JSON.stringify({ want: what }));
  await answers.next();
}

async function ask(text) {
  await composer.fill(text);
  await composer.press("Enter");
}

async function anew(text) {
  await list.getByRole("button", { name: "New chat" }).click();
  await ask(text);
}

async function audit(name) {
  await settled(page);
  await page.evaluate(axe); // by the debugger: the page's policy stays as it is
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  seen.axe[name] = violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 4).map(node => node.html.slice(0, 160)).join(" | ")}`);
}

let count = 0;
const picture = name => page.screenshot({ path: `${folder}/${String(++count).padStart(2, "0")}-${name.replaceAll(" ", "-")}.png` });

const stations = {
  async "opened"() {
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(url);
    await composer.waitFor();
    const first = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name, transferSize }) => [name, transferSize]));
    const focused = await until(() => composer.evaluate(box => box === document.activeElement), true);
    await audit("welcome");
    return { first, focused };
  },
  async "a card with a table"() {
    await page.keyboard.type("Show me a table");
    await page.keyboard.press("Enter");
    await page.getByText("Quarterly sales").first().waitFor();
    await page.getByRole("cell", { name: "19" }).waitFor();
    await idle();
    await list.getByRole("link", { name: "Show me a table", exact: true }).waitFor();
    return { thread: thread(), status: await page.locator(".status").last().innerText(), loaded: await page.evaluate(() => performance.getEntriesByType("resource").reduce((sum, { transferSize }) => sum + transferSize, 0)) };
  },
  async "a chart"() {
    await ask("Draw a chart");
    await page.locator(".recharts-surface").first().waitFor();
    await idle();
    await audit("answers");
  },
  async "a form that is filled in while it is written"() {
    // Up to within a name that may be anything: what ends within one of a few words the client does not draw, when all of it comes at once.
    await anew(`sample:form fault:gate=${tag}-form@1355`);
    await page.getByPlaceholder("Ada").fill("Grace Hopper");
    await page.getByPlaceholder("Ada").blur();
    await busy();
    const saved = kept();
    await openGate("form");
    await page.getByRole("button", { name: "Submit" }).waitFor();
    await idle();
    const shown = await page.getByPlaceholder("Ada").inputValue(), status = (await saved).status();
    await page.reload();
    await page.getByRole("button", { name: "Submit" }).waitFor();
    return { status, values: [shown, await until(() => page.getByPlaceholder("Ada").inputValue(), shown)], thread: thread() };
  },
  async "a form that is kept"() {
    await anew("Show me a form");
    await page.getByText("Please fill in the form.").waitFor();
    await idle();
    const saved = kept();
    await page.getByPlaceholder("Ada").fill("Ada Lovelace");
    await page.getByPlaceholder("Ada").blur();
    const status = (await saved).status();
    await page.reload();
    return { status, value: await until(() => page.getByPlaceholder("Ada").inputValue(), "Ada Lovelace"), thread: thread() };
  },
  async "a form that is sent"() {
    await page.getByRole("button", { name: "Submit" }).click();
    await page.locator(".question").filter({ hasText: "Submit" }).waitFor();
    await idle();
    return thread();
  },
  async "reloaded in mid-stream"() {
    await anew(gated("reload"));
    await page.getByText("Hello from").waitFor();
    await busy();
    await page.reload();
    await page.getByText("Hello from").waitFor();
    await busy();
    await page.screenshot({ path: `${folder}/streaming.png` });
    await openGate("reload");
    await page.getByText("ünïcödé").waitFor();
    await idle();
    return thread();
  },
  async "another thread meanwhile"() {
    await anew(gated("switch"));
    await page.getByText("Hello from").waitFor();
    const mine = thread();
    await list.getByRole("link", { name: "Show me a table", exact: true }).first().click();
    await page.getByText("Quarterly sales").first().waitFor();
    await list.getByRole("img", { name: "An answer is being written" }).waitFor();
    const closed = await hungUp(gated("switch"));
    await openGate("switch");
    await list.getByRole("img", { name: "An answer is being written" }).waitFor({ state: "detached" });
    await page.goBack();
    await page.getByText("ünïcödé").waitFor();
    return { thread: mine, closed };
  },
  async "two tabs on one answer"() {
    await anew(gated("tabs"));
    await page.getByText("Hello from").waitFor();
    const other = watch(await context.newPage(), url, seen.errors);
    await other.goto(page.url());
    await other.getByText("Hello from").waitFor();
    await busy(other);
    await openGate("tabs");
    for (const tab of [page, other]) {
      await tab.getByText("ünïcödé").waitFor();
      await idle(tab);
    }
    await other.getByLabel("Your question").fill("Show me a table"); // and what one asks the other shows
    await other.getByLabel("Your question").press("Enter");
    await page.getByText("Quarterly sales").first().waitFor();
    await idle();
    await other.close();
    return thread();
  },
  async "stopped"() {
    await anew("fault:endless;pace=20");
    await page.getByText(/x{40}/).first().waitFor();
    const stopped = page.waitForResponse(response => response.url().endsWith("/stop"));
    const began = Date.now();
    await page.getByRole("button", { name: "Stop the answer" }).click();
    const told = await (await stopped).json(), took = Date.now() - began;
    await notice("You stopped this answer");
    await idle();
    await page.reload();
    await page.getByText(/x{40}/).first().waitFor();
    await notice("You stopped this answer");
    return { ...told, took, thread: thread() };
  },
  async "stopped before its first word"() {
    await anew(`sample:text fault:gate_head=${tag}-never`);
    await busy();
    await fetch(`${control}/gate/${tag}-never/wait?waiting=1&timeout=60`);
    await page.getByRole("button", { name: "Stop the answer" }).click();
    await notice("You stopped this answer");
    await idle();
  },
  async "failed, edited and asked again"() {
    await anew("fault:status=500");
    await notice("The C1 API failed");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("2/2").waitFor();
    await notice("The C1 API failed");
    await page.getByRole("button", { name: "Edit the question" }).click();
    await ask("Show me a table");
    await page.getByText("3/3").waitFor();
    await page.getByText("Quarterly sales").first().waitFor();
    await idle();
    await page.reload();
    await page.getByText("Quarterly sales").first().waitFor();
    await page.getByText("3/3").waitFor();
    await page.getByRole("button", { name: "Earlier version" }).click();
    await page.locator(".question").filter({ hasText: "fault:status=500" }).waitFor();
  },
  async "cut off"() {
    await anew("sample:table fault:cut=330");
    await notice("broke off");
    return thread();
  },
  async "silent"() {
    await anew("fault:stall_before");
    await notice(/in time|did not answer|no byte/);
  },
  async "a worker killed"() {
    await anew(gated("kill"));
    await page.getByText("Hello from").waitFor();
    await want("kill workers");
    await notice("What had come by then is kept");
    await openGate("kill");
    await ask("Show me a table");
    await page.getByText("Quarterly sales").first().waitFor();
    await idle();
  },
  async "nginx reloaded"() {
    await anew(gated("nginx"));
    await page.getByText("Hello from").waitFor();
    await want("reload nginx");
    await openGate("nginx");
    await page.getByText("ünïcödé").waitFor();
    await idle();
    return thread();
  },
  async "the connection lost and found"() {
    await anew(gated("lost"));
    await page.getByText("Hello from").waitFor();
    await want("stop nginx");
    await page.getByText("The connection is lost").waitFor();
    await page.screenshot({ path: `${folder}/lost.png` });
    await want("start nginx");
    await page.getByText("The connection is lost").waitFor({ state: "detached" });
    await openGate("lost");
    await page.getByText("ünïcödé").waitFor();
    await idle();
    return thread();
  },
  async "what the model does besides"() {
    await anew("sample:think");
    await page.getByText("done thinking").waitFor();
    await page.getByText("Kept item").first().waitFor();
    await idle();
    const mine = thread();
    await ask("sample:buttons");
    await page.getByRole("button", { name: "Custom" }).waitFor();
    await idle();
    await page.evaluate(() => addEventListener("c1d-action", event => { window.acted = event.detail; }));
    await page.getByRole("button", { name: "Custom" }).click();
    const acted = await (await page.waitForFunction(() => window.acted)).jsonValue();
    await ask("Draw a chart");
    await page.getByText("Compare regions").waitFor();
    await idle();
    const sent = page.waitForRequest(request => request.url().includes("/api/chat"));
    await page.getByText("Compare regions").click();
    const content = (await sent).postDataJSON().prompt.content;
    await idle();
    return { thread: mine, acted, content };
  },
  async "every sample"() {
    await list.getByRole("button", { name: "New chat" }).click();
    const names = readdirSync(samples).filter(name => !name.startsWith("BAD-")).map(name => name.replace(".txt", "")).sort();
    const shown = {};
    for (const [i, name] of names.entries()) {
      await ask(`sample:${name} fault:delta=200;pace=1`);
      await page.locator('article.answer[aria-busy="false"]').nth(i).waitFor();
      await idle();
      shown[name] = await last().innerText();
    }
    return shown;
  },
  async "renamed, searched, archived, deleted"() {
    const row = name => list.locator(".row").filter({ hasText: name });
    const choose = async (name, what) => {
      await row(name).first().hover();
      await row(name).first().getByRole("button").click();
      await list.getByRole("menuitem", { name: what }).click();
    };
    await choose("fault:delta", "Rename");
    await list.getByLabel("New name").fill("All samples");
    await list.getByLabel("New name").press("Enter");
    await row("All samples").waitFor();
    await page.keyboard.press("Control+k");
    await page.keyboard.type("ll sampl");
    await page.waitForFunction(() => document.querySelectorAll("nav .row").length === 1); // each letter finds something
    const found = await row("All samples").count();
    await list.getByLabel("Search chats").fill("");
    await row("Show me a table").first().waitFor();
    await choose("All samples", "Archive");
    await row("All samples").waitFor({ state: "detached" });
    await page.getByRole("heading", { name: "All samples" }).waitFor(); // it is looked at still
    await list.getByRole("button", { name: "Show the archive" }).click();
    await row("All samples").waitFor();
    await choose("All samples", "Take back");
    await list.getByRole("button", { name: "Back to the chats" }).click();
    await row("All samples").waitFor();
    await choose("All samples", "Delete");
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await row("All samples").waitFor({ state: "detached" });
    return found;
  },
  async "dark"() {
    await list.getByRole("link", { name: "Show me a table", exact: true }).first().click();
    await page.getByText("Quarterly sales").first().waitFor();
    await list.getByRole("button", { name: "Dark colours" }).click();
    await page.locator(".recharts-surface").first().waitFor();
    await audit("dark");
  },
  async "narrow"() {
    await page.setViewportSize({ width: 360, height: 740 });
    await audit("narrow");
    const wide = await until(() => page.evaluate(() => [...document.querySelectorAll("body, main, .pane")].map(box => box.scrollWidth - box.clientWidth)), [0, 0, 0]);
    await page.getByRole("button", { name: "Show or hide the list of chats" }).click();
    await list.getByRole("button", { name: "New chat" }).waitFor();
    await page.screenshot({ path: `${folder}/drawer.png` });
    await list.getByRole("button", { name: "New chat" }).click();
    await page.getByText("What can I show you?").waitFor();
    return wide;
  },
};

await walk(stations, page, url, folder, seen, picture);
await browser.close();
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit());
