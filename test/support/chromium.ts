import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const ELSEWHERE = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];
/** Containers have no user namespaces for the sandbox, and the pages are our own. */
const ARGS = ['--no-sandbox'];

/** Starts CHROME_PATH, else a browser of the machine, else the one inside an npm package. Nothing is downloaded at run time. */
export async function launchChromium(): Promise<Browser> {
  const own = process.env['CHROME_PATH'] ?? ownBrowser();
  return own === undefined ? launchPackaged() : chromium.launch({ executablePath: own, args: ARGS });
}

function ownBrowser(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...folders.flatMap((folder) => NAMES.map((name) => join(folder, name))), ...ELSEWHERE].find(existsSync);
}

/** Unpacks into a new folder: at its usual path the package would reuse whatever an interrupted run has left half unpacked. */
async function launchPackaged(): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-chromium-'));
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  try {
    const executablePath = await unpack(folder);
    // Without the package's own arguments: they disable web security, which the tests of cross-origin pages rely on.
    const args = [...ARGS, '--no-zygote', '--disable-webgl'];
    const browser = await chromium.launch({
      executablePath,
      args,
      env: { ...process.env, ...fontAndLibraryPaths(folder) },
    });
    browser.once('disconnected', remove);
    return browser;
  } catch (error) {
    remove();
    throw error;
  }
}

/** The package communicates through environment variables. They are restored, so that no other child process gets its libraries. */
async function unpack(folder: string): Promise<string> {
  const before = { ...process.env };
  // With the name of a Lambda runtime it also unpacks the system libraries.
  Object.assign(process.env, { TMPDIR: folder, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' });
  try {
    const { default: packaged } = await import('@sparticuz/chromium');
    return await packaged.executablePath();
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

/** The package's own fonts.conf points to /tmp. Without fonts, text has no height and a page looks empty. */
function fontAndLibraryPaths(folder: string) {
  const conf = join(folder, 'parley-fonts.conf');
  writeFileSync(
    conf,
    `<fontconfig><dir>${folder}/fonts</dir><cachedir>${folder}/fonts-cache</cachedir></fontconfig>\n`,
  );
  return { FONTCONFIG_FILE: conf, LD_LIBRARY_PATH: join(folder, 'al2023', 'lib') };
}
