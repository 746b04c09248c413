import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const ELSEWHERE = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];
/** Containers have no user namespaces for the sandbox, and the pages are our own. */
const ARGS = ['--no-sandbox'];

/** CHROME_PATH, or else the machine's own browser, or else the one inside an npm package: nothing is fetched at run time. */
export async function launchChromium(): Promise<Browser> {
  const own = process.env['CHROME_PATH'] ?? ownBrowser();
  return own === undefined ? launchPackaged() : chromium.launch({ executablePath: own, args: ARGS });
}

function ownBrowser(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return [...folders.flatMap((folder) => NAMES.map((name) => join(folder, name))), ...ELSEWHERE].find(existsSync);
}

/** In a folder of its own: the package takes whatever lies at its usual place, also what an interrupted run has left half unpacked. */
async function launchPackaged(): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-chromium-'));
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  try {
    const { executablePath, env } = await unpack(folder);
    // One process for all (the package's default for Lambda) would make two pages less than two browsers.
    const browser = await chromium.launch({ executablePath, env, args: [...ARGS, '--no-zygote', '--disable-webgl'] });
    browser.once('disconnected', remove);
    return browser;
  } catch (error) {
    remove();
    throw error;
  }
}

interface Unpacked {
  executablePath: string;
  env: Record<string, string>;
}

/** The package speaks through the environment. Ours is put back, so that no other child of this process gets its libraries. */
async function unpack(folder: string): Promise<Unpacked> {
  const before = { ...process.env };
  // The name of a Lambda runtime makes it unpack the system libraries too.
  Object.assign(process.env, { TMPDIR: folder, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' });
  try {
    const { default: packaged } = await import('@sparticuz/chromium');
    packaged.setGraphicsMode = false;
    const executablePath = await packaged.executablePath();
    const places = { FONTCONFIG_PATH: join(folder, 'fonts'), LD_LIBRARY_PATH: join(folder, 'al2023', 'lib') };
    const inherited = Object.entries(before).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
    return { executablePath, env: { ...Object.fromEntries(inherited), ...places } };
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
}
