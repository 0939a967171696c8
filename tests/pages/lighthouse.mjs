// Asks Lighthouse about pages, in one Chromium, as a phone on a slow line and as a desk: node lighthouse.mjs CHROMIUM REPORTS,
// with [{name, url, cookies}] on standard input. Prints one line of JSON for each look: the scores, and what is below the best.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

import * as chromeLauncher from "chrome-launcher";
import lighthouse, { desktopConfig } from "lighthouse";
import puppeteer from "puppeteer-core";

const [chromePath, reports] = process.argv.slice(2);
const pages = JSON.parse(readFileSync(0, "utf8"));
const chromeFlags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"];
const chrome = await chromeLauncher.launch({ chromePath, chromeFlags });
mkdirSync(reports, { recursive: true });
try {
  const browser = await puppeteer.connect({ browserURL: `http://127.0.0.1:${chrome.port}`, defaultViewport: null });
  for (const page of pages) {
    for (const [form, config] of [["phone", undefined], ["desk", desktopConfig]]) {
      // A cookie of the browser's own: what is stored before a look would be cleared for it.
      const tab = await browser.newPage();
      if (page.cookies.length) await tab.setCookie(...page.cookies);
      const asked = { output: "html", onlyCategories: ["performance", "accessibility"], disableStorageReset: true };
      const { lhr, report } = await lighthouse(page.url, asked, config, tab);
      await tab.close();
      writeFileSync(`${reports}/${page.name}-${form}.html`, report);
      const scores = Object.fromEntries(Object.entries(lhr.categories).map(([id, each]) => [id, Math.round(100 * each.score)]));
      const figures = ["first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "cumulative-layout-shift"];
      const shown = Object.fromEntries(figures.map((id) => [id, lhr.audits[id].displayValue]));
      const below = Object.values(lhr.audits).filter((each) => each.score !== null && each.score < 0.9).map((each) => each.id);
      console.log(JSON.stringify({ page: page.name, form, final: lhr.finalDisplayedUrl, ...scores, ...shown, below }));
    }
  }
  await browser.disconnect();
} finally {
  await chrome.kill();
}
