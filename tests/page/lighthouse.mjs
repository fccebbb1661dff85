// What Lighthouse says of a page, as one line of JSON:
//
//     node lighthouse.mjs URL desktop|mobile|loaded
//
// desktop, mobile: as Lighthouse has them, with a network and a processor that it makes believe. loaded: as it is here, whose times
// say nothing; all else does.
import { launch } from "chrome-launcher";
import lighthouse, { desktopConfig } from "lighthouse";
import { ARGS } from "./browser.mjs";

const [url, how] = process.argv.slice(2);
const TRIES = 3; // it gives up on a browser that is silent for 30 s, whatever one tells it

async function look() {
  const chrome = await launch({ chromePath: process.env.CHROMIUM || "/usr/bin/chromium", chromeFlags: ["--headless=new", ...ARGS], logLevel: "silent", maxConnectionRetries: 200 });
  try {
    const flags = { port: chrome.port, logLevel: "silent", maxWaitForLoad: 120_000, ...(how === "loaded" && { throttlingMethod: "provided" }) };
    return (await lighthouse(url, flags, how === "mobile" ? undefined : desktopConfig)).lhr;
  } finally {
    chrome.kill();
  }
}

const isWhole = ({ runtimeError, categories }) => !runtimeError && ["accessibility", "best-practices"].every(name => categories[name].score !== null);
let lhr;
for (let tries = 1; tries <= TRIES && !(lhr && isWhole(lhr)); tries++)
  lhr = await look().catch(error => { if (tries === TRIES) throw error; });

const { categories, audits, runtimeError } = lhr;
console.log(JSON.stringify({
  error: runtimeError?.message,
  scores: Object.fromEntries(Object.entries(categories).map(([name, { score }]) => [name, score === null ? null : Math.round(score * 100)])),
  failed: Object.fromEntries(Object.entries(categories).map(([name, { auditRefs }]) =>
    [name, auditRefs.filter(({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 0.9).map(({ id }) => `${id}: ${audits[id].displayValue ?? ""}`)])),
  times: Object.fromEntries(["first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "speed-index"].map(id => [id, audits[id].displayValue])),
  shift: audits["cumulative-layout-shift"].numericValue,
  requests: audits["network-requests"].details.items.map(({ url, resourceType, resourceSize, transferSize, statusCode }) => ({ url, resourceType, resourceSize, transferSize, statusCode })),
  blocking: (audits["render-blocking-resources"] ?? audits["render-blocking-insight"]).details?.items?.map(({ url }) => url) ?? [],
  uncached: (audits["uses-long-cache-ttl"] ?? audits["cache-insight"]).details?.items?.map(({ url }) => url) ?? [],
}));
