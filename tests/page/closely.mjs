// Our own page (web/) looked at more closely: what does not depend on the store, by hand, by keyboard, and as two people.
//
//     node closely.mjs URL FOLDER
//
// Prints one JSON object with what was seen. FOLDER gets pictures. STATIONS: some of them only.
import { launch, walk, watch } from "./browser.mjs";

const [url, folder] = process.argv.slice(2);
const seen = { stations: {}, errors: [] };
const browser = await launch();

/** Somebody with a browser of their own. */
async function somebody() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, permissions: ["clipboard-read", "clipboard-write"] });
  const page = watch(await context.newPage(), url, seen.errors);
  await page.goto(url);
  const composer = page.getByLabel("Your question"), list = page.getByRole("navigation", { name: "Chats" });
  await composer.waitFor();
  const idle = () => page.getByRole("button", { name: "Send" }).waitFor();
  const ask = async text => {
    await composer.fill(text);
    await composer.press("Enter");
  };
  const answered = async (text, shown) => {
    await ask(text);
    await page.getByText(shown).last().waitFor();
    await idle();
  };
  const anew = () => list.getByRole("button", { name: "New chat" }).click();
  const thread = () => new URL(page.url()).hash.slice(1);
  const notice = text => page.locator(".notice").filter({ hasText: text }).last().waitFor();
  return { context, page, composer, list, idle, ask, answered, anew, thread, notice };
}

const { context, page, composer, list, idle, ask, answered, anew, thread, notice } = await somebody();

// --- by keyboard ---
const press = keys => page.keyboard.press(keys);

/** What has the focus: its name, whether one sees it and sees that it has the focus, and where it is. */
const focus = () => page.evaluate(() => {
  const at = document.activeElement;
  if (!at || at === document.body) return { name: "" };
  const frame = at.closest(".box, .search") ?? at, { outlineStyle, outlineWidth } = getComputedStyle(at), { boxShadow } = getComputedStyle(frame);
  const ringed = (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || (frame !== at && boxShadow.includes("0px 0px 0px 3px")) || at.matches(".rename");
  const { left, right, top, bottom } = at.getBoundingClientRect();
  return {
    name: (at.getAttribute("aria-label") || at.innerText || at.getAttribute("placeholder") || at.tagName).trim().slice(0, 60),
    shown: ringed && at.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && right > left && bottom > 0 && top < innerHeight,
    inside: at.closest("nav, dialog, main")?.tagName ?? "",
  };
});
const named = async () => (await focus()).name;

/** Presses the key until what has this name has the focus. */
async function to(name, key = "Tab") {
  const passed = [];
  for (let i = 0; i < 80; i++) {
    await press(key);
    const at = await focus();
    if (at.name.startsWith(name)) return at;
    passed.push(at.name);
  }
  throw new Error(`${key} leads to no ${name} but ${[...new Set(passed)].join(", ")}`);
}

/** Waits until it has the focus, which comes with the next frame. */
async function has(name) {
  await page.waitForFunction(wanted => {
    const at = document.activeElement;
    return (at?.getAttribute("aria-label") || at?.innerText || at?.getAttribute("placeholder") || "").trim().startsWith(wanted);
  }, name).catch(async error => { throw new Error(`${name} has not got the focus, but ${await named()}`, { cause: error }); });
}

const stations = {
  async "the keyboard reaches everything"() {
    await answered("Show me a form", "Please fill in the form.");
    await page.getByRole("button", { name: "Submit" }).waitFor();
    await has("Your question");
    await to("Skip to the question", "Shift+Tab");
    const skip = await focus();
    const passed = [skip];
    while (passed.at(-1).name !== "Your question" && passed.length < 60) {
      await press("Tab");
      passed.push(await focus());
    }
    await page.screenshot({ path: `${folder}/focus.png` });
    await to("Skip to the question", "Shift+Tab");
    await press("Enter");
    await has("Your question");
    return { names: passed.map(({ name }) => name), hidden: passed.filter(({ shown }) => !shown).map(({ name }) => name) };
  },
  async "menus and dialogs by keyboard"() {
    await to("More of Show me a form", "Shift+Tab");
    await press("Enter");
    await has("Rename");
    await press("ArrowDown");
    await has("Archive");
    await press("ArrowUp");
    await press("ArrowUp");
    await has("Delete");
    await press("Escape");
    await has("More of Show me a form");
    await press("Enter");
    await has("Rename");
    await press("Enter");
    await has("New name");
    await page.keyboard.type("left again");
    await press("Escape");
    await has("Show me a form");
    await press("Tab");
    await press("Enter");
    await has("Rename");
    await press("Enter");
    await has("New name");
    await page.keyboard.type("Named by keys");
    await press("Enter");
    await has("Named by keys");
    await press("Tab");
    await press("Enter");
    await has("Rename");
    await press("ArrowUp");
    await press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    const inside = [];
    for (let i = 0; i < 4; i++) {
      inside.push((await focus()).inside);
      await press("Tab");
    }
    await press("Escape");
    await dialog.waitFor({ state: "detached" });
    await has("More of Named by keys");
    await to("Sign in");
    await press("Enter");
    await has("Token");
    await press("Escape");
    await dialog.waitFor({ state: "detached" });
    await has("Sign in");
    return inside;
  },
  async "asked, stopped, edited and asked again by keyboard"() {
    await press("Control+k");
    await has("Search chats");
    await press("Control+Shift+o");
    await has("Your question");
    await page.keyboard.type("fault:endless;pace=20");
    await press("Enter");
    await page.getByText(/x{40}/).first().waitFor();
    await to("Stop the answer");
    await press("Enter");
    await notice("You stopped this answer");
    await has("Your question");
    await press("ArrowUp");
    await page.getByText("You edit your last question").waitFor();
    await press("Escape");
    await page.getByText("You edit your last question").waitFor({ state: "detached" });
    await press("ArrowUp");
    await press("Control+a");
    await page.keyboard.type("Show me a table");
    await press("Enter");
    await page.getByText("Quarterly sales").first().waitFor();
    await idle();
    await to("Try again", "Shift+Tab");
    await press("Enter");
    await page.getByText("3/3").waitFor();
    await has("Your question");
    await idle();
  },
  async "the list hidden and shown by keyboard"() {
    await to("Hide the list of chats", "Shift+Tab");
    await press("Enter");
    await has("Show or hide the list of chats");
    await press("Control+k"); // which shows it, to be searched
    await has("Search chats");
    await to("Hide the list of chats", "Shift+Tab");
    await press("Enter");
    await has("Show or hide the list of chats");
    await press("Enter");
    await has("Hide the list of chats");
    await page.setViewportSize({ width: 360, height: 740 });
    await page.locator('.show-list[aria-expanded="false"]').waitFor(); // the page knows it
    await page.getByRole("button", { name: "Show or hide the list of chats" }).focus();
    await press("Enter");
    await has("Hide the list of chats");
    const inside = [];
    for (let i = 0; i < 16; i++) {
      await press("Tab");
      inside.push((await focus()).inside);
    }
    await press("Escape");
    await has("Show or hide the list of chats");
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.locator(".show-list").waitFor({ state: "hidden" });
    return inside;
  },

  // --- what can be done with an answer ---
  async "copied"() {
    await anew();
    await answered("sample:text", "🚀");
    await page.evaluate(() => new MutationObserver(() => { window.saidCopied ||= document.querySelector('[aria-label="Copied"]') !== null; })
      .observe(document.body, { subtree: true, childList: true, attributes: true })); // for two seconds only
    await page.getByRole("button", { name: "Copy the answer" }).click();
    await page.waitForFunction(() => window.saidCopied);
    const text = await page.evaluate(() => navigator.clipboard.readText());
    await composer.fill("اعرض جدولا"); // as its words go
    const written = await composer.evaluate(area => getComputedStyle(area).direction);
    await composer.fill("");
    return { text, written };
  },
  async "a link of an answer"() {
    await anew();
    await ask("sample:buttons");
    await page.getByRole("button", { name: "Custom" }).waitFor();
    await idle();
    await page.evaluate(() => { window.open = (...given) => { window.opened = given; return null; }; }); // nothing is asked of others
    await page.getByRole("button", { name: "Open" }).click();
    return (await page.waitForFunction(() => window.opened)).jsonValue();
  },
  async "an artifact"() {
    await anew();
    await ask("sample:artifact");
    await page.locator('article.answer[aria-busy="false"]').waitFor();
    await idle();
    await page.locator("article.answer").filter({ hasText: "Sales report" }).waitFor();
    const preview = await page.locator("article.answer").innerText();
    await page.getByRole("button", { name: "View" }).click();
    await page.getByText("By quarter").last().waitFor();
    await page.screenshot({ path: `${folder}/artifact.png` });
    await page.reload();
    return { thread: thread(), preview };
  },

  // --- what befalls an answer ---
  async "silent in the middle"() {
    await anew();
    await ask("sample:text fault:stall_at=260");
    await page.getByText("Hello from").waitFor();
    await page.getByText("Waiting for the model…").waitFor();
    await page.screenshot({ path: `${folder}/waiting.png` });
    await page.getByRole("button", { name: "Stop the answer" }).click();
    await notice("You stopped this answer");
    await page.reload();
    await page.getByText("Hello from").waitFor();
    await notice("You stopped this answer");
    return thread();
  },
  async "no network when the window is looked at again"() {
    await anew();
    await answered("Show me a table", "Quarterly sales");
    await context.setOffline(true);
    await page.evaluate(() => dispatchEvent(new Event("focus")));
    await page.locator(".toast").filter({ hasText: "No connection" }).waitFor();
    await page.getByText("The list cannot be loaded").waitFor();
    await composer.fill("And a chart?");
    const told = { drawn: await page.getByText("Quarterly sales").count(), notices: await page.locator(".notice").count(),
      send: await page.getByRole("button", { name: "Send" }).isEnabled() };
    await context.setOffline(false);
    await page.locator(".toast").waitFor({ state: "detached" }); // by itself
    await composer.fill("");
    return told;
  },
  async "asked again in vain"() {
    await anew();
    await answered("Show me a table", "Quarterly sales");
    const mine = thread();
    const others = [];
    for (let i = 0; i < 2; i++) { // as many answers as one may have at once
      await anew();
      await ask("fault:endless;pace=20");
      await page.getByText(/x{40}/).first().waitFor();
      others.push(thread());
    }
    await page.evaluate(id => { location.hash = id; }, mine);
    await page.getByText("Quarterly sales").first().waitFor();
    await page.getByRole("button", { name: "Try again" }).click();
    await notice("Wait for one to end");
    await page.getByRole("button", { name: "Earlier version" }).click();
    await page.getByText("Quarterly sales").first().waitFor();
    await page.reload();
    await page.getByText("Quarterly sales").first().waitFor();
    const versions = await page.getByText("2/2").count();
    for (const id of others) {
      await page.evaluate(to => { location.hash = to; }, id);
      await page.getByRole("button", { name: "Stop the answer" }).click();
      await notice("You stopped this answer");
    }
    return { thread: mine, versions };
  },
  async "what the model is told"() {
    await anew();
    await answered("sample:v2 first", /\S/);
    await answered("sample:v2 second", /\S/);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("2/2").waitFor();
    await idle();
    await page.getByRole("button", { name: "Edit the question" }).click();
    await ask("sample:v2 third");
    await page.getByText("3/3").waitFor();
    await idle();
    return thread();
  },

  // --- and whose it is ---
  async "two visitors"() {
    await anew();
    await answered("Draw a chart", "Compare regions");
    const hers = thread(), bob = await somebody();
    await bob.answered("Show me a table", "Quarterly sales");
    const titles = async who => (await who.list.locator(".row").allInnerTexts()).map(text => text.trim());
    await list.getByRole("link", { name: "Draw a chart" }).waitFor();
    await bob.list.getByRole("link", { name: "Show me a table" }).waitFor();
    const told = { his: await titles(bob), hers: await titles({ list }) };
    await bob.page.evaluate(id => { location.hash = id; }, hers); // the address of her chat, sent to him
    await bob.page.getByRole("alert").first().waitFor();
    await bob.page.screenshot({ path: `${folder}/bob.png` });
    told.refused = await bob.page.getByRole("alert").first().innerText();
    told.drawn = await bob.page.getByText("Compare regions").count();
    await bob.context.close();
    return told;
  },
};

await walk(stations, page, url, folder, seen);
await browser.close();
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit());
