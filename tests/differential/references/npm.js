// The order of npm's semver.
const semver = require("semver");
const lines = require("fs").readFileSync(0, "utf8").split("\n").filter(Boolean);
const table = [];
for (const line of lines) {
  const [a, b] = line.split(" ");
  if (semver.valid(a) && semver.valid(b)) {
    table.push(`${a} ${["<", "=", ">"][semver.compare(a, b) + 1]} ${b}`);
  }
}
console.log(table.join("\n"));
