// Pictures of our own page for README.md: node pictures.mjs URL FOLDER
import { launch, watch } from "./browser.mjs";

const [url, folder] = process.argv.slice(2), errors = [];
const LOOKS = [
  { name: "light", colorScheme: "light", viewport: { width: 1280, height: 1060 } },
  { name: "dark", colorScheme: "dark", viewport: { width: 1280, height: 1060 } },
  { name: "narrow", colorScheme: "light", viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
];
const EARLIER = ["Draft a contact form for the spring fair", "Chart of visitors by month", "What sold best in the north?"]; // in the list
const browser = await launch();

for (const { name, ...look } of LOOKS) {
  const context = await browser.newContext({ reducedMotion: "reduce", ...look });
  const page = watch(await context.newPage(), url, errors), composer = page.getByLabel("Your question");
  for (const title of EARLIER) { // one by one: the first answer makes a visitor of the browser
    const made = await context.request.post(`${url}api/threads`, { data: { title } });
    if (!made.ok()) errors.push(await made.text());
  }
  await page.goto(url);
  for (const [question, shown] of [["Show me a table of sales by quarter", "Quarterly sales"], ["Draw a chart of it", "Compare regions"]]) {
    await composer.fill(question);
    await composer.press("Enter");
    await page.getByText(shown).first().waitFor();
    await page.getByRole("button", { name: "Send" }).waitFor();
  }
  await page.locator(".recharts-surface").first().waitFor();
  await page.locator(".pane").evaluate(pane => { pane.scrollTop = 0; });
  await page.screenshot({ path: `${folder}/page-${name}.png`, animations: "disabled" });
  await context.close();
}
await browser.close();
if (errors.length) throw new Error(errors.join("\n"));
