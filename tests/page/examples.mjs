// A visit to the pages of the examples, in Chromium, as a person makes it:
//
//     node examples.mjs HOUSE NEXT CONTROL FOLDER
//
// HOUSE: nginx with fetch's page and WordPress's; NEXT: the dev server; CONTROL: the scripted C1 API's. Prints one JSON object with
// what was seen. FOLDER gets pictures. Nothing is waited for but what is to show.
import { launch, PATIENCE_MS, unexpected, watch } from "./browser.mjs";

const [house, next, control, folder] = process.argv.slice(2);
const seen = { stations: {}, errors: [] };
const tag = Math.random().toString(36).slice(2);
const openGate = name => fetch(`${control}/gate/${tag}-${name}/open`, { method: "POST" });
const gated = name => `sample:text fault:gate=${tag}-${name}@260`; // what a person reads first has come by then
const endless = name => `fault:endless;pace=20 ${tag}-${name}`;
const browser = await launch();

async function visit(name, url, what, ...expected) {
  const errors = [], context = await browser.newContext({ viewport: { width: 900, height: 800 } });
  const page = watch(await context.newPage(), new URL(url).origin, errors);
  try {
    await page.goto(url, { timeout: 4 * PATIENCE_MS }); // Next compiles it first
    await what(page);
  } catch (error) {
    errors.push(`${error} ${(await page.locator("body").innerText()).slice(-1500)}`);
  }
  await page.screenshot({ path: `${folder}/${name}.png` });
  seen.errors.push(...unexpected(errors, ...expected).map(error => `${name}: ${error}`));
  await context.close();
}

await visit("fetch", `${house}/chat.html`, async page => {
  const last = page.locator("article").last(), state = page.locator("#state");
  async function ask(text) {
    await page.getByLabel("Your question").fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  }
  await ask(gated("fetch"));
  await last.filter({ hasText: "Hello from" }).waitFor();
  await page.getByRole("button", { name: "Stop" }).waitFor();
  seen.stations["fetch: grows"] = true;
  await page.reload();
  await last.filter({ hasText: "Hello from" }).waitFor();
  await page.getByRole("button", { name: "Stop" }).waitFor();
  await openGate("fetch");
  await last.filter({ hasText: "ünïcödé" }).waitFor();
  await state.filter({ hasText: "complete" }).waitFor();
  seen.stations["fetch: reloaded"] = true;
  await ask("fault:status=500");
  await last.filter({ hasText: "The C1 API failed" }).waitFor();
  seen.stations["fetch: refused"] = true;
  const given = (path, answer) => page.route(url => url.pathname === path, route => route.fulfill(answer), { times: 1 });
  await given("/api/chat", { contentType: "text/event-stream", body: 'id: r.0\nevent: run\ndata: {"run_id":"r"}\n\nid: r.2\nevent: delta\ndata: "ab"\n\n' });
  await given("/api/runs/r/stream", { status: 204 });
  await given("/api/runs/r", { json: { status: "length" } });
  await ask("cut behind its last word");
  await state.filter({ hasText: "length" }).waitFor();
  seen.stations["fetch: cut at its end"] = true;
  await ask((seen.stations["fetch: endless"] = endless("fetch")));
  await last.filter({ hasText: /x{40}/ }).waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "hidden" });
  seen.stations["fetch: stopped"] = await state.innerText();
}, "502", "404"); // the question that is to fail; a thread of which nobody has said anything yet

await visit("wordpress", `${house}/page.php?user=8`, async page => {
  const chat = page.frameLocator("iframe");
  await chat.getByLabel("Your question").fill("Show me a table");
  await chat.getByLabel("Your question").press("Enter");
  await chat.getByText("Quarterly sales").first().waitFor();
  await chat.getByRole("button", { name: "Send" }).waitFor();
  seen.stations.wordpress = true;
});

await visit("next", `${next}/`, async page => {
  const text = page.locator("pre"), input = page.getByLabel("Your question");
  await page.waitForFunction(() => Object.keys(document.querySelector("form")).some(key => key.startsWith("__reactProps"))); // no more mere HTML
  await input.fill(gated("next"));
  await page.getByRole("button", { name: "Send" }).click();
  await text.filter({ hasText: "Hello from" }).waitFor();
  await openGate("next");
  await text.filter({ hasText: "</content>" }).waitFor();
  await input.fill((seen.stations["next: endless"] = endless("next")));
  await page.getByRole("button", { name: "Send" }).click();
  await text.filter({ hasText: /x{40}/ }).waitFor();
  const stopped = page.waitForResponse(response => response.url().endsWith("/stop"));
  await page.getByRole("button", { name: "Stop" }).click();
  await stopped;
  seen.stations.next = true;
});

await browser.close();
console.log(JSON.stringify(seen));
