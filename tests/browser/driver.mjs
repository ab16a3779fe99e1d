// Drives Chromium for tests/support/browser.rs: a JSON line in, a JSON line out.
//
//     node driver.mjs MODULES CAMERA HOST:PORT=SHA256...
//
// MODULES is the folder that has node_modules. CAMERA is the film that a camera sees, or nothing. The
// certificate of each HOST:PORT must be the one with that fingerprint, and then the browser takes it; it takes no other
// that it would not take anyway.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { connect } from "node:tls";

const [modules, camera, ...trusted] = process.argv.slice(2);
const load = createRequire(`${modules}/package.json`);
const { chromium } = load("playwright-core");
const axe = readFileSync(load.resolve("axe-core/axe.min.js"), "utf8");

// What the slowest page may take on a busy machine, in milliseconds.
const PATIENCE = 30_000;

// The hash of a server's public key, as Chromium names it.
function trust(entry) {
  const [, host, port, fingerprint] = entry.match(/^(.+):(\d+)=([0-9a-f]{64})$/);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), servername: host, rejectUnauthorized: false }, () => {
      const certificate = socket.getPeerX509Certificate();
      socket.destroy();
      const found = certificate.fingerprint256.replaceAll(":", "").toLowerCase();
      if (found !== fingerprint) {
        reject(new Error(`${host}:${port} has the certificate ${found}, not ${fingerprint}`));
      }
      const key = certificate.publicKey.export({ type: "spki", format: "der" });
      resolve(createHash("sha256").update(key).digest("base64"));
    });
    socket.on("error", reject);
  });
}

async function start() {
  const keys = await Promise.all(trusted.map(trust));
  return chromium.launch({
    executablePath: process.env.LASTKEY_CHROMIUM ?? "/usr/bin/chromium",
    chromiumSandbox: process.getuid() !== 0,
    args: [
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // Whatever a page asks for, nothing leaves this machine.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
      `--ignore-certificate-errors-spki-list=${keys.join(",")}`,
      ...(camera ? ["--use-fake-device-for-media-stream", `--use-file-for-fake-video-capture=${camera}`] : []),
    ],
  });
}

const pages = [];

const scheme = (look) => (look.dark ? "dark" : "light");

// What is meant, of what can be seen: by its role and whole name, by the words that its label begins with (a hint may
// follow), or by a CSS selector.
function find({ page, role, name, label, css }) {
  if (role) return page.getByRole(role, { name: name || undefined, exact: true });
  const words = label?.replace(/[^\w\s]/g, "\\$&");
  const found = label ? page.getByLabel(new RegExp(`^\\s*${words}(\\s|$)`)) : page.locator(css);
  return found.filter({ visible: true });
}

const verbs = {
  // A page of a new person: nothing is remembered of others.
  async page({ look, javascript }) {
    const context = await browser.newContext({
      viewport: { width: look.width, height: look.height },
      isMobile: look.mobile,
      hasTouch: look.mobile,
      deviceScaleFactor: look.mobile ? 2 : 1,
      colorScheme: scheme(look),
      javaScriptEnabled: javascript,
      reducedMotion: "reduce",
      acceptDownloads: true,
      locale: "en-GB",
    });
    context.setDefaultTimeout(PATIENCE);
    const requests = [];
    const complaints = [];
    context.on("request", (request) => requests.push(`${request.method()} ${request.url()}`));
    context.on("requestfailed", (request) => {
      const why = request.failure()?.errorText;
      // The browser itself stops what a page still waits for when it is left.
      if (why !== "net::ERR_ABORTED") complaints.push(`${request.url()}: ${why}`);
    });
    context.on("console", (said) => {
      if (["error", "warning"].includes(said.type())) complaints.push(`${said.type()}: ${said.text()}`);
    });
    context.on("weberror", (error) => complaints.push(`script: ${error.error().message}`));
    const page = await context.newPage();
    return pages.push({ context, page, requests, complaints }) - 1;
  },

  async look({ page, look }) {
    await page.setViewportSize({ width: look.width, height: look.height });
    await page.emulateMedia({ colorScheme: scheme(look) });
  },

  // Returns the status; a fragment alone loads nothing and has none.
  async open({ page, url }) {
    return (await page.goto(url))?.status() ?? null;
  },

  // Says yes when a page asks for the camera.
  allow: ({ context }) => context.grantPermissions(["camera"]),

  fill: (what) => find(what).fill(what.text),
  type: (what) => find(what).pressSequentially(what.text),
  upload: (what) => find(what).setInputFiles(what.files),
  click: (what) => find(what).click(),
  choose: (what) => find(what).selectOption(what.text),
  count: (what) => find(what).count(),
  read: (what) => find(what).innerText(),
  value: (what) => find(what).inputValue(),
  attribute: (what) => find(what).getAttribute(what.attribute),
  wait: (what) => find(what).first().waitFor(),
  until: ({ page, url }) => page.waitForURL(url),
  url: ({ page }) => page.url(),
  back: async ({ page }) => void (await page.goBack()),
  reload: async ({ page }) => (await page.reload()).status(),
  evaluate: ({ page, script }) => page.evaluate(script),

  // Clicks what downloads a file, and saves it.
  async download(what) {
    const [download] = await Promise.all([what.page.waitForEvent("download"), find(what).click()]);
    await download.saveAs(what.file);
    return download.suggestedFilename();
  },

  screenshot: async ({ page, file }) => void (await page.screenshot({ path: file, fullPage: true })),

  // A passkey's authenticator, as a phone or laptop has it built in; says yes to all that it is asked.
  async authenticator({ context, page, prf }) {
    const session = await context.newCDPSession(page);
    await session.send("WebAuthn.enable");
    const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        ctap2Version: "ctap2_1",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        hasPrf: prf,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    Object.assign(pages.find((entry) => entry.page === page), { session, authenticatorId });
  },

  // How many passkeys it has.
  async passkeys({ session, authenticatorId }) {
    return (await session.send("WebAuthn.getCredentials", { authenticatorId })).credentials.length;
  },

  // What is wrong for those who cannot see well, use no mouse, or hear pages read: WCAG 2.2 A and AA, and good practice.
  async axe({ page }) {
    await page.evaluate(axe);
    const { violations } = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })");
    return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`);
  },

  requests: ({ requests }) => requests,
  complaints: ({ complaints }) => complaints,
  cookies: ({ context }) => context.cookies(),
};

// Scripts of ours wait for ever where pages may run none.
function patience() {
  return new Promise((_, reject) => setTimeout(() => reject(new Error("not done in two minutes")), 120_000).unref());
}

async function answer(line) {
  try {
    const { verb, page, ...rest } = JSON.parse(line);
    return { ok: (await Promise.race([verbs[verb]({ ...rest, ...pages[page] }), patience()])) ?? null };
  } catch (error) {
    return { error: String(error.message) };
  }
}

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);

let browser;
try {
  browser = await start();
} catch (error) {
  say({ error: String(error.message) });
  process.exit(1);
}
say({ ok: browser.version() });
for await (const line of createInterface({ input: process.stdin })) say(await answer(line));
await browser.close();
