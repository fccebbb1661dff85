// Our own page where a token is wanted: it asks for one, refuses a bad one, and shows what is whose with a good one.
//
//     node sign_in.mjs URL TOKEN PICTURE
import { launch, watch } from "./browser.mjs";

const [url, token, picture] = process.argv.slice(2);
const seen = { errors: [] };
const browser = await launch();
const page = watch(await browser.newPage({ viewport: { width: 1000, height: 700 } }), url, seen.errors);
const dialog = page.getByRole("dialog", { name: "Sign in" });

async function give(text) {
  await dialog.getByLabel("Token").fill(text);
  await dialog.getByRole("button", { name: "Sign in" }).click();
}

await page.goto(url);
await dialog.waitFor();
await page.screenshot({ path: picture });
await give("not.a.token");
await dialog.getByText("This token is not good").waitFor();
await give(token);
await dialog.waitFor({ state: "detached" });
await page.getByLabel("Your question").fill("Show me a table");
await page.getByLabel("Your question").press("Enter");
await page.getByText("Quarterly sales").first().waitFor();
await page.getByRole("button", { name: "Send" }).waitFor();
await page.reload(); // it is kept as long as the tab
await page.getByText("Quarterly sales").first().waitFor();
await page.getByRole("button", { name: "Sign out" }).click();
await dialog.waitFor();
seen.left = await page.getByText("Quarterly sales").count();
await browser.close();
console.log(JSON.stringify(seen));
