// Asks Lighthouse about pages, in one Chromium, as a phone on a slow line and as a desk: node lighthouse.mjs CHROMIUM REPORTS,
// with [{name, url, cookie}] on standard input. Prints one line of JSON for each look: the scores, and what is below the best.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

import * as chromeLauncher from "chrome-launcher";
import lighthouse, { desktopConfig } from "lighthouse";

const [chromePath, reports] = process.argv.slice(2);
const pages = JSON.parse(readFileSync(0, "utf8"));
const chromeFlags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"];
const chrome = await chromeLauncher.launch({ chromePath, chromeFlags });
mkdirSync(reports, { recursive: true });
try {
  for (const page of pages) {
    for (const [form, config] of [["phone", undefined], ["desk", desktopConfig]]) {
      const extraHeaders = page.cookie ? { Cookie: page.cookie } : undefined;
      const asked = { port: chrome.port, output: "html", onlyCategories: ["performance", "accessibility"], extraHeaders };
      const { lhr, report } = await lighthouse(page.url, asked, config);
      writeFileSync(`${reports}/${page.name}-${form}.html`, report);
      const scores = Object.fromEntries(Object.entries(lhr.categories).map(([id, each]) => [id, Math.round(100 * each.score)]));
      const figures = ["first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "cumulative-layout-shift"];
      const shown = Object.fromEntries(figures.map((id) => [id, lhr.audits[id].displayValue]));
      const below = Object.values(lhr.audits).filter((each) => each.score !== null && each.score < 0.9).map((each) => each.id);
      console.log(JSON.stringify({ page: page.name, form, final: lhr.finalDisplayedUrl, ...scores, ...shown, below }));
    }
  }
} finally {
  await chrome.kill();
}
