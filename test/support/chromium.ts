import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...folders.flatMap((folder) => NAMES.map((name) => join(folder, name))), ...ELSEWHERE].find(existsSync);
}

/** In a folder of its own: the package takes what lies at its usual place, also what an interrupted run has left half unpacked. */
async function launchPackaged(): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-chromium-'));
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  try {
    const executablePath = await unpack(folder);
    // Not the package's own arguments: they switch off web security, which is part of what pages of another origin show.
    const args = [...ARGS, '--no-zygote', '--disable-webgl'];
    const browser = await chromium.launch({ executablePath, args, env: { ...process.env, ...places(folder) } });
    browser.once('disconnected', remove);
    return browser;
  } catch (error) {
    remove();
    throw error;
  }
}

/** The package speaks through the environment. Ours is put back, so that no other child of this process gets its libraries. */
async function unpack(folder: string): Promise<string> {
  const before = { ...process.env };
  // The name of a Lambda runtime makes it unpack the system libraries too.
  Object.assign(process.env, { TMPDIR: folder, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' });
  try {
    const { default: packaged } = await import('@sparticuz/chromium');
    return await packaged.executablePath();
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

/** The package's own fonts.conf names /tmp. Without fonts no text has a height, and a page looks empty. */
function places(folder: string) {
  const conf = join(folder, 'parley-fonts.conf');
  writeFileSync(
    conf,
    `<fontconfig><dir>${folder}/fonts</dir><cachedir>${folder}/fonts-cache</cachedir></fontconfig>\n`,
  );
  return { FONTCONFIG_FILE: conf, LD_LIBRARY_PATH: join(folder, 'al2023', 'lib') };
}
