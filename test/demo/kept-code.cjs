// What one child process transformed and compiled, the next one finds: the tests start a hundred, of two thousand modules each.
const { createHash } = require("node:crypto");
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const Module = require("node:module");
const { dirname, join } = require("node:path");
const { constants, Script } = require("node:vm");

const directory = join(__dirname, "../../dist/test-programs");
mkdirSync(directory, { recursive: true });

const placeOf = (...parts) => join(directory, createHash("sha1").update(parts.join("\0")).digest("hex"));

function kept(place) {
  try {
    return readFileSync(place);
  } catch {
    return undefined;
  }
}

/** By its last step, so that nobody reads half of it. */
function keep(place, content) {
  writeFileSync(`${place}.${process.pid}`, content);
  renameSync(`${place}.${process.pid}`, place);
}

/** Packages only: of our own files Node compiles each anew, and so knows their source maps. */
const compile = Module.prototype._compile;
Module.prototype._compile = function (content, filename) {
  if (!filename.includes("node_modules")) return compile.call(this, content, filename);
  const place = placeOf(process.version, filename, content);
  const cachedData = kept(place);
  let script;
  try {
    const importModuleDynamically = constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
    script = new Script(Module.wrap(content), { filename, cachedData, importModuleDynamically });
  } catch {
    // An ECMAScript module, which Node knows how to require.
    return compile.call(this, content, filename);
  }
  const itsRequire = Object.assign((id) => this.require(id), Module.createRequire(filename));
  const result = script
    .runInThisContext()
    .call(this.exports, this.exports, itsRequire, this, filename, dirname(filename));
  if (cachedData === undefined || script.cachedDataRejected) keep(place, script.createCachedData());
  return result;
};

module.exports = { keep, kept, placeOf };
