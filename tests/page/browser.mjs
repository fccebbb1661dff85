// What the visits have in common: a browser, and a page whose faults are noted down.
import { chromium } from "playwright-core";

export const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ARGS });

/** Notes what goes wrong in a page, and what it asks of others. A question that is to fail makes one line of its own in the console. */
export function watch(page, url, errors) {
  page.setDefaultTimeout(Number(process.env.PATIENCE_MS || 60000));
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
