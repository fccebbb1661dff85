// A visit to the page that was built from the README's lines, in Chromium, as a person makes it:
//
//     node visit.mjs URL CONTROL FOLDER
//
// Prints one JSON object: what was seen at each station, in order; the requests of the page, with their status; what went
// wrong, if anything. FOLDER gets a picture of each station. Nothing is waited for but what the page is to show.
import { readdirSync } from "node:fs";
import { launch, PATIENCE_MS, until } from "./browser.mjs";

const [url, control, folder] = process.argv.slice(2); // CONTROL: the scripted C1 API's
const samples = new URL("../samples", import.meta.url);
const seen = { stations: {}, requests: [], errors: [] };
const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
page.setDefaultTimeout(PATIENCE_MS);

page.on("response", response => {
  const request = response.request(), path = request.url().replace(url, "/");
  if (path.startsWith("/api/"))
    seen.requests.push({ method: request.method(), path, status: response.status(), body: request.postData() });
});
page.on("request", request => {
  if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url()))
    seen.errors.push(`elsewhere: ${request.url()}`);
});
page.on("pageerror", error => {
  if (error.message !== "signal is aborted without reason") // the client's own word when it hangs up
    seen.errors.push(error.message);
});

const composer = page.getByPlaceholder("Type your message...");
const button = page.locator("[class*=thread-composer] button").last(); // sends, or stops what runs
const sidebar = page.locator("[class*=sidebar]").first();
const field = page.getByPlaceholder("Ada"); // of the form
const isIdle = () => button.locator(".lucide-arrow-up").waitFor();

async function ask(text) {
  await composer.fill(text);
  await composer.press("Enter");
}

async function station(name, visit) {
  seen.stations[name] = (await visit()) ?? true;
  await page.screenshot({ path: `${folder}/${Object.keys(seen.stations).length}-${name}.png` });
}

try {
  await station("opened", async () => {
    await page.goto(url);
    await composer.waitFor();
    const box = await page.locator("[class*=shell-container]").first().boundingBox();
    return { width: box.width, height: box.height };
  });
  await station("first answer", async () => {
    await ask("Show me a form");
    await page.getByText("Please fill in the form.").waitFor();
    await isIdle();
    await sidebar.getByText("Show me a form").waitFor();
  });
  await station("form filled in", async () => {
    const saved = page.waitForResponse(response => response.request().method() === "PUT");
    await field.fill("Ada");
    await field.blur();
    return (await saved).status();
  });
  await station("second thread", async () => {
    await page.getByText("New Chat").click();
    await ask("Show me a table");
    await page.getByText("Quarterly sales").waitFor();
    await isIdle();
    await sidebar.getByText("Show me a table").waitFor();
  });
  await station("reloaded", async () => {
    await page.reload();
    await sidebar.getByText("Show me a table").waitFor();
    await sidebar.getByText("Show me a form").click();
    await page.getByText("Please fill in the form.").waitFor();
    return until(() => field.inputValue(), "Ada");
  });
  await station("failed", async () => {
    await ask("fault:status=500");
    await page.getByText("The C1 API failed", { exact: true }).waitFor();
    await isIdle();
  });
  await station("stopped", async () => {
    await ask("fault:endless;pace=20");
    await button.locator(".lucide-square").waitFor();
    await page.getByText(/x{40}/).waitFor();
    const stop = page.waitForResponse(response => response.url().endsWith("/stop"));
    await button.click();
    await isIdle();
    return (await stop).json();
  });
  await station("back while it streams", async () => {
    await page.getByText("New Chat").click();
    await ask("sample:text fault:gate=readme@260");
    await page.getByText("Hello from").waitFor();
    await sidebar.getByText("Show me a table").click();
    await page.getByText("Quarterly sales").first().waitFor();
    await sidebar.getByText("sample:text").click();
    await page.getByText("Hello from").waitFor();
    await button.locator(".lucide-square").waitFor();
    await fetch(`${control}/gate/readme/open`, { method: "POST" });
    await page.getByText("ünïcödé").waitFor();
    await isIdle();
  });
  await station("stock", async () => {
    const names = readdirSync(samples).filter(name => !name.startsWith("BAD-")).map(name => name.replace(".txt", "")).sort();
    const shown = {};
    await page.goto(`${url}?stock`);
    for (const name of names) {
      await page.getByText("New Chat").click();
      const answer = page.waitForResponse(response => response.url().includes("/api/chat"));
      await ask(`sample:${name} fault:delta=200;pace=1`);
      await answer;
      await page.locator("[class*=assistant]").first().waitFor();
      await isIdle();
      shown[name] = await page.locator("[class*=thread-messages], [class*=messages]").first().innerText();
    }
    await page.goto(url);
    await sidebar.getByText("Show me a table").waitFor();
    return shown;
  });
  await station("deleted", async () => {
    const row = sidebar.locator(".crayon-shell-thread-button").filter({ hasText: "Show me a table" });
    await row.hover();
    await row.locator("button").last().click();
    const deleted = page.waitForResponse(response => response.request().method() === "DELETE");
    await page.getByText("Delete").click();
    await deleted; // the page does not wait for it
    await row.waitFor({ state: "detached" });
  });
} catch (error) {
  seen.errors.push(String(error));
  await page.screenshot({ path: `${folder}/failed.png` });
  seen.text = (await page.locator("body").innerText()).slice(-2000);
}
await browser.close();
console.log(JSON.stringify(seen));
