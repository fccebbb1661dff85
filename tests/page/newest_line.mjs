// The demo's page with more said than fits a window: where does its newest line end, and where does the input bar begin?
//
//     node newest_line.mjs URL PICTURE
import { launch, PATIENCE_MS } from "./browser.mjs";

const [url, picture] = process.argv.slice(2);
const browser = await launch();
const page = await browser.newPage({ viewport: { width: 480, height: 420 } });
page.setDefaultTimeout(PATIENCE_MS);
await page.goto(url);
for (let i = 1; i <= 3; i++) {
  await page.fill("#text", "Show me a table");
  await page.click("#send");
  await page.waitForFunction(n => document.querySelectorAll("article.assistant small").length === n
    && !document.querySelector("#send").disabled, i);
}
const seen = await page.evaluate(() => ({
  newest: document.querySelector("main").lastElementChild.getBoundingClientRect().bottom,
  bar: document.querySelector("form").getBoundingClientRect().top,
  inputBottom: document.querySelector("form").getBoundingClientRect().bottom,
  window: innerHeight,
}));
await page.screenshot({ path: picture });
await browser.close();
console.log(JSON.stringify(seen));
