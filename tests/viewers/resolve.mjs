// Cornerstone's packages import folders and files without a suffix, as bundlers allow; Node wants both named.
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    const known = ['ERR_UNSUPPORTED_DIR_IMPORT', 'ERR_MODULE_NOT_FOUND'].includes(error.code);
    if (!known || !error.url) throw error;
    const path = fileURLToPath(error.url);
    const file = [`${path}.js`, `${path}/index.js`].find(
      name => existsSync(name) && statSync(name).isFile()
    );
    if (!file) throw error;
    return next(pathToFileURL(file).href, context);
  }
}
