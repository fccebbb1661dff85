// What the visits have in common: a browser, and a page whose faults are noted down.
import { chromium } from "playwright-core";

export const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
export const PATIENCE_MS = Number(process.env.PATIENCE_MS || 90_000); // for any single wait
const EXECUTABLE = { executablePath: process.env.CHROMIUM || "/usr/bin/chromium", timeout: PATIENCE_MS };
export const launch = () => chromium.launch({ ...EXECUTABLE, args: ARGS });
/** One with a profile that outlives it. */
export const launchAt = (profile, args, more) => chromium.launchPersistentContext(profile, { ...EXECUTABLE, args: [...ARGS, ...args], ...more });

/** Notes what goes wrong in a page, and what it asks of others. A question that is to fail makes one line of its own in the console. */
export function watch(page, url, errors) {
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("request", request => {
    if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) errors.push(`elsewhere: ${request.url()}`);
  });
  page.on("pageerror", error => errors.push(error.message));
  page.on("console", message => {
    if (message.type() === "error") errors.push(`console: ${message.text()} ${message.location().url}`);
  });
  return page;
}

/** Errors of the console that are not among those that a station expects, by a word of each. */
export const unexpected = (errors, ...words) => errors.filter(error => !words.some(word => error.includes(word)));

/** What it gives once that is as wanted; when it never is, what it gave last. */
export async function until(look, wanted) {
  for (const end = Date.now() + PATIENCE_MS; ;) {
    const found = await look();
    if (JSON.stringify(found) === JSON.stringify(wanted) || Date.now() > end) return found;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

/** Nothing moves and no colour changes any more, but what does so for ever. */
export const settled = page => page.evaluate(() => Promise.allSettled(document.getAnimations()
  .filter(({ effect }) => effect.getComputedTiming().endTime !== Infinity).map(({ finished }) => finished)).then(() => {}));

/** Goes from station to station (STATIONS: some of them only). Of one that fails is told what the page showed, what it had asked for, and
 *  what is kept of the chat, with a picture; the next one begins at the page's front. The third is the last, since each waits so long. */
export async function walk(stations, page, url, folder, seen, arrived = () => {}) {
  const wanted = (process.env.STATIONS ?? "").split(";").filter(Boolean), asked = [], size = page.viewportSize();
  const note = (request, outcome) => asked.push(`${request.method()} ${request.url().replace(url, "/")} ${outcome}`);
  page.on("response", response => note(response.request(), response.status()));
  page.on("requestfailed", request => note(request, request.failure()?.errorText));
  seen.failed = {};
  process.on("unhandledRejection", () => {}); // of what a station that failed would have waited for next
  for (const [name, visit] of Object.entries(stations)) {
    if (wanted.length && !wanted.includes(name)) continue;
    try {
      seen.stations[name] = (await visit()) ?? true;
      await arrived(name);
    } catch (error) {
      seen.failed[name] = {
        error: String(error.stack ?? error), asked: asked.slice(-30), text: (await page.locator("body").innerText()).slice(-2000),
        kept: await page.evaluate(() => location.hash && fetch(`/api/threads/${location.hash.slice(1)}/messages`).then(answer => answer.text())).then(text => text.slice(-6000), String),
      };
      await page.screenshot({ path: `${folder}/failed-${name.replaceAll(" ", "-")}.png` });
      if (Object.keys(seen.failed).length === 3) return;
      await page.setViewportSize(size);
      await page.goto(url);
      await page.reload(); // the way there may have been within the page
    }
  }
}
