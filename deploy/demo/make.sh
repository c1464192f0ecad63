#!/usr/bin/env bash
# Makes deploy/demo/image and deploy/demo/advisories anew, from real packages and real advisories.
#
#   deploy/demo/make.sh ADVISORIES_DIR
#
# ADVISORIES_DIR holds one zip of OSV records per ecosystem. Needs: debootstrap umoci python3-pip npm zip; root.
set -euo pipefail
advisories=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The base: what Debian's own bootstrap installs, reduced to the files that say so.
debootstrap --variant=minbase bookworm "$work/root" >"$work/log" 2>&1 || { tail -5 "$work/log" >&2; exit 1; }
mkdir -p "$work/base/var/lib/dpkg" "$work/base/usr/lib" "$work/base/etc"
cp "$work/root/var/lib/dpkg/status" "$work/base/var/lib/dpkg/"
cp "$work/root/usr/lib/os-release" "$work/base/usr/lib/"
ln -s ../usr/lib/os-release "$work/base/etc/os-release"

# The application: old releases that are known to be vulnerable, reduced likewise.
python3 -m pip install -q --no-deps --target "$work/pip" \
  django==3.2.0 jinja2==2.11.2 urllib3==1.25.8 requests==2.19.0 pyyaml==5.3
(mkdir "$work/npm" && cd "$work/npm" && npm init -y >/dev/null &&
  npm install --ignore-scripts --no-audit --no-fund lodash@4.17.4 minimist@1.2.0 axios@0.21.0 >/dev/null)
(cd "$work/pip" && for file in *.dist-info/METADATA; do
  install -D -m 644 "$file" "$work/app/opt/app/$file"
done)
(cd "$work/npm" && for file in node_modules/*/package.json; do
  install -D -m 644 "$file" "$work/app/srv/shop/$file"
done)

rm -rf "$here/image"
umoci init --layout "$here/image"
umoci new --image "$here/image:demo"
umoci config --image "$here/image:demo" --os linux --architecture amd64
for layer in base app; do
  tar --sort=name --mtime=@1700000000 --numeric-owner --owner=0 --group=0 -C "$work/$layer" -cf "$work/$layer.tar" .
  umoci raw add-layer --image "$here/image:demo" "$work/$layer.tar"
done
umoci gc --layout "$here/image"

rm -rf "$here/advisories"
python3 "$here/select_advisories.py" "$advisories" "$work/root/var/lib/dpkg/status" "$here/advisories"
