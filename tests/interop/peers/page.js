// Drives acuse-verify.html in Debian's Chromium: one job a line on stdin, one answer a line.
//
//   {"op": "show", "files": {name: base64}, "how": "drop" | "pick", "locale", "width", "shot"}
//   {"op": "verify", "cases": [{"files": {slot: base64}, "options": {…}}]}   as scripts may
//   {"op": "ed25519", "cases": [[key, message, signature]]}                 base64 each
//
// Every answer tells which addresses were asked for, besides the page itself.
"use strict";
const { createInterface } = require("node:readline");
const { chromium } = require("playwright-core");

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

async function open(browser, address, { locale = "en", width = 900 }) {
  const context = await browser.newContext({ locale, viewport: { width, height: 900 } });
  const page = await context.newPage();
  const told = { asked: [], errors: [] };
  page.on("request", (request) => { if (request.url() !== address) told.asked.push(request.url()); });
  page.on("pageerror", (error) => told.errors.push(error.message));
  page.on("console", (line) => { if (line.type() === "error") told.errors.push(line.text()); });
  await page.goto(address);
  return { context, page, told };
}
async function show(browser, address, job) {
  const { context, page, told } = await open(browser, address, job);
  const files = Object.entries(job.files);
  if (job.how === "pick") {
    const chooser = page.waitForEvent("filechooser");
    await page.focus("#choose");
    await page.keyboard.press("Enter");
    await (await chooser).setFiles(files.map(([name, data]) => (
      { name, mimeType: "application/octet-stream", buffer: Buffer.from(data, "base64") })));
  } else {
    const transfer = await page.evaluateHandle((given) => {
      const made = new DataTransfer();
      for (const [name, data] of given)
        made.items.add(new File([Uint8Array.from(atob(data), (char) => char.charCodeAt(0))], name));
      return made;
    }, files);
    await page.dispatchEvent("#drop", "drop", { dataTransfer: transfer });
  }
  await page.waitForSelector(".verdict");
  const answer = await page.evaluate(() => ({
    verdict: document.querySelector(".verdict").dataset.verdict,
    reason: document.querySelector(".verdict").dataset.reason || "",
    language: document.documentElement.lang,
    text: document.querySelector("#result").innerText,
    focused: document.activeElement.id,
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  }));
  if (job.shot) await page.screenshot({ path: job.shot, fullPage: true });
  answer.words = await page.evaluate(() => {
    const shape = (value) => (value && typeof value === "object"
      ? Object.keys(value).sort().map((key) => [key, shape(value[key])]) : Boolean(value));
    return Object.fromEntries(Object.keys(WORDS).map((code) => [code, JSON.stringify(shape(WORDS[code]))]));
  });
  await context.close();
  return { ...answer, ...told };
}
async function compute(browser, address, job, work) {
  const { context, page, told } = await open(browser, address, job);
  const answers = await page.evaluate(work, job.cases);
  await context.close();
  return { answers, ...told };
}
const verify = async (cases) => {
  const octets = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const answers = [];
  for (const { files, options } of cases) {
    const given = Object.fromEntries(Object.entries(files).map(([slot, data]) => [slot, octets(data)]));
    try {
      answers.push((await acuse.verify(given, options)).json);
    } catch (error) {
      answers.push({ error: error.message, expected: error instanceof acuse.NotAProof });
    }
  }
  return answers;
};
const ed25519 = async (cases) => {
  const octets = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const answers = [];
  for (const parts of cases) {
    const given = parts.map(octets);
    answers.push([await acuse.ed25519(...given), await acuse.ed25519Here(...given)]);
  }
  return answers;
};

(async () => {
  const address = process.argv[2];
  const browser = await chromium.launch({ executablePath: process.argv[3], args: FLAGS });
  for await (const line of createInterface({ input: process.stdin })) {
    const job = JSON.parse(line);
    let answer;
    try {
      answer = job.op === "show" ? await show(browser, address, job)
        : await compute(browser, address, job, job.op === "verify" ? verify : ed25519);
    } catch (error) {
      answer = { failed: String(error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await browser.close();
})();
