#!/bin/bash
# Builds a real image of all package formats, about 600 MB in 15,000 files, as OCI layouts of gzip and of zstd layers.
#   make_full_image.sh OUT [FIXTURES]      makes OUT/gzip and OUT/zstd, each with the tag `full`
# FIXTURES is a folder of package databases (rpm-*, apk-*) that are copied in; default: those of the scanner's tests.
# needs: debootstrap umoci skopeo python3-pip nodejs npm maven zip go cargo; root; their package sources.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
out=$(realpath -m "$1")
fixtures=$(realpath "${2:-$here/../../scanner/testdata/packagedb}")
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
mkdir -p "$out" "$work/log"

# Runs a step, and shows what it said if it fails.
step() {
  local name=$1
  shift
  echo "· $name" >&2
  "$@" >"$work/log/$name" 2>&1 || { echo "$name:" >&2; tail -20 "$work/log/$name" >&2; exit 1; }
}

pack() { tar --numeric-owner --owner=0 --group=0 -C "$work/$1" -cf "$work/$1.tar" .; }

base() {
  debootstrap --variant=minbase --include=ca-certificates,curl,git,libicu72,nginx,perl,python3,redis-server \
    bookworm "$work/base"
  rm -rf "$work/base"/dev/* "$work/base"/var/cache/apt/archives/*.deb "$work/base"/var/lib/apt/lists/* \
    "$work/base"/usr/share/{doc,man,zoneinfo/right}
  pack base
}

python_app() {
  python3 -m pip install -q --no-compile --target "$work/apps/opt/python" cryptography numpy
  python3 -m pip install -q --no-compile --no-deps --target "$work/apps/opt/python" \
    django==3.2.0 jinja2==2.11.2 urllib3==1.25.8 requests==2.19.0
}

node_app() {
  mkdir -p "$work/apps/srv/node"
  cd "$work/apps/srv/node"
  npm init -y
  npm install --ignore-scripts --no-audit --no-fund lodash@4.17.4 minimist@1.2.0 axios@0.21.0 express@4.17.1 \
    typescript@4.9.5
  mkdir -p "$work/apps/usr/local/bin"
  cp "$(readlink -f "$(command -v node)")" "$work/apps/usr/local/bin/node"
}

# A jar with jars inside, in a war.
java_app() {
  local lib=$work/java/WEB-INF/lib repository=$work/m2
  mkdir -p "$lib" "$work/boot/BOOT-INF/lib" "$work/apps/opt/java"
  for artifact in org.apache.logging.log4j:log4j-core:2.14.1 org.springframework:spring-core:5.3.17 \
    org.springframework:spring-webmvc:5.3.17 com.fasterxml.jackson.core:jackson-databind:2.9.8 \
    org.yaml:snakeyaml:1.26 commons-collections:commons-collections:3.2.1; do
    mvn -q -B -Dmaven.repo.local="$repository" dependency:get -Dartifact="$artifact"
  done
  find "$repository" -name '*.jar' -path '*/log4j*' -exec cp -t "$work/boot/BOOT-INF/lib" {} +
  (cd "$work/boot" && zip -q -0 -r "$lib/inner-1.0.jar" .)
  find "$repository" -name '*.jar' \( -path '*spring*' -o -path '*jackson*' -o -path '*snakeyaml*' \
    -o -path '*commons-collections*' \) -exec cp -t "$lib" {} +
  (cd "$work/java" && zip -q -r "$work/apps/opt/java/shop.war" .)
}

# Programs of Go, stripped and not, for several processors.
go_programs() {
  mkdir -p "$work/go" "$work/apps/opt/go"
  cd "$work/go"
  printf 'module example.com/shop\n\ngo 1.20\n' >go.mod
  printf 'package main\n\nimport (\n\t"fmt"\n\t"net/http"\n\n\t"github.com/gin-gonic/gin"\n)\n\nvar version = "dev"\n\n%s\n' \
    'func main() { fmt.Println(version, http.ListenAndServe(":80", gin.New())) }' >main.go
  go get github.com/gin-gonic/gin@v1.7.0 golang.org/x/net@v0.5.0
  go mod tidy
  go build -o "$work/apps/opt/go/shop" -ldflags '-X main.version=1.4.2' .
  for arch in arm64 386 mips s390x; do
    GOARCH=$arch go build -trimpath -ldflags '-s -w' -o "$work/apps/opt/go/shop-$arch" .
  done
  cp "$(go env GOROOT)/bin/go" "$work/apps/usr/local/bin/go"
}

rust_program() {
  mkdir -p "$work/apps/opt/rust"
  cargo init -q --name shop "$work/rust"
  cd "$work/rust"
  cargo add -q smallvec@=1.6.0 time@=0.1.44
  if command -v cargo-auditable; then CARGO_TARGET_DIR=$work/rust/target cargo auditable build -q; else cargo build -q; fi
  cp target/debug/shop "$work/apps/opt/rust/shop"
  mkdir -p "$work/apps/srv/rust"
  cp Cargo.lock "$work/apps/srv/rust/"
}

# Lock files and installed descriptions of tools that need not be here.
written_by_hand() {
  local app=$work/apps/srv
  mkdir -p "$app"/{ruby,php/vendor/composer,dotnet,elixir,dart,swift,conan,julia,r/foo} \
    "$app/../usr/local/lib/ruby/gems/3.1.0/specifications"
  printf 'GEM\n  remote: https://rubygems.org/\n  specs:\n    rack (2.0.1)\n    nokogiri (1.10.3)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  rack\n' >"$app/ruby/Gemfile.lock"
  printf 'Gem::Specification.new do |s|\n  s.name = "rails".freeze\n  s.version = "5.2.0"\nend\n' \
    >"$work/apps/usr/local/lib/ruby/gems/3.1.0/specifications/rails-5.2.0.gemspec"
  printf '{"packages": [{"name": "symfony/http-foundation", "version": "v4.4.0"}], "packages-dev": []}' >"$app/php/composer.lock"
  printf '{"packages": [{"name": "guzzlehttp/guzzle", "version": "6.5.0"}], "dev-package-names": []}' \
    >"$app/php/vendor/composer/installed.json"
  printf '{"version": 1, "dependencies": {"net6.0": {"Newtonsoft.Json": {"type": "Direct", "resolved": "12.0.1"}}}}' \
    >"$app/dotnet/packages.lock.json"
  printf '{"libraries": {"System.Text.Json/6.0.0": {"type": "package", "serviceable": true, "sha512": ""}}}' >"$app/dotnet/shop.deps.json"
  printf '%%{\n  "plug": {:hex, :plug, "1.3.0", "0f1e", [:mix], [], "hexpm", "0f1e"},\n}\n' >"$app/elixir/mix.lock"
  printf 'packages:\n  http:\n    dependency: "direct main"\n    source: hosted\n    version: "0.13.0"\n' >"$app/dart/pubspec.lock"
  printf '{"pins": [{"identity": "swift-nio", "kind": "remoteSourceControl", "location": "https://github.com/apple/swift-nio.git", "state": {"revision": "0f1e", "version": "2.29.0"}}], "version": 2}' >"$app/swift/Package.resolved"
  printf '{"version": "0.5", "requires": ["zlib/1.2.11#0f1e"], "build_requires": []}' >"$app/conan/conan.lock"
  printf 'manifest_format = "2.0"\n\n[[deps.HTTP]]\nuuid = "cd3eb016-35fb-5094-929b-558a96fad6f3"\nversion = "1.0.0"\n' >"$app/julia/Manifest.toml"
  printf 'Package: foo\nVersion: 1.0.0\n' >"$app/r/foo/DESCRIPTION"
}

# Whole databases of other distributions, each under a folder of its own.
databases() {
  for image in "$fixtures"/rpm-* "$fixtures"/apk-*; do
    [ -d "$image" ] || continue
    mkdir -p "$work/apps/images"
    cp -r --no-preserve=ownership "$image" "$work/apps/images/"
    find "$work/apps/images" -name expected.tsv -delete
  done
}

mkdir -p "$work/apps"
step base base
step python python_app
step node node_app
step java java_app
step go go_programs
step rust rust_program
step files written_by_hand
step databases databases
pack apps

rm -rf "$out/gzip" "$out/zstd"
umoci init --layout "$out/gzip"
umoci new --image "$out/gzip:full"
for layer in base apps; do step "layer-$layer" umoci raw add-layer --image "$out/gzip:full" "$work/$layer.tar"; done
umoci gc --layout "$out/gzip"
# Layers that are compressed already stay as they are.
skopeo copy -q --insecure-policy --dest-decompress "oci:$out/gzip:full" "dir:$work/plain"
skopeo copy -q --insecure-policy --dest-compress-format zstd "dir:$work/plain" "oci:$out/zstd:full"
echo "$(cat "$work"/{base,apps}.tar | wc -c) bytes in $(for layer in base apps; do tar -tf "$work/$layer.tar"; done | wc -l) entries" >&2
for kind in gzip zstd; do skopeo inspect --format "$kind {{.Digest}}" "oci:$out/$kind:full"; done
