#!/usr/bin/env python3
"""Times and memory of the scanner, each beside something from the same run.

    tests/bench/figures.py [--binary target/release/plimsoll] [import] [scan] [full] [push] [memory]

Without names everything is measured. `import` and `scan` read advisories from ../shared/advisories or from
PLIMSOLL_ADVISORIES. `full` scans what make_full_image.sh built in the folder --full-image, or builds it.
Needs: debootstrap umoci skopeo docker-registry gzip zstd; root for debootstrap.
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import statistics
import subprocess
import tarfile
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
ADVISORIES = pathlib.Path(os.environ.get("PLIMSOLL_ADVISORIES", ROOT.parent / "shared" / "advisories"))


def run(command, **options):
    """Runs to the end: (seconds, peak memory in MB, output)."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, **options)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - started
        out.seek(0)
        output = out.read()
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}: {output[-2000:].decode(errors='replace')}")
    return seconds, usage.ru_maxrss / 1024, output


def row(what, figure, target, beside=""):
    print(f"| {what} | {figure} | {target} | {beside} |", flush=True)


def debian_layout(folder):
    """A minimal Debian as one gzip layer: an OCI layout with the image `base`."""
    root, layout = folder / "debian", folder / "layout"
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", root], check=True, stdout=subprocess.DEVNULL)
    tar = folder / "root.tar"
    subprocess.run(["tar", "--numeric-owner", "--exclude=./dev/*", "--exclude=./var/cache/apt/archives/*.deb",
                    "--exclude=./var/lib/apt/lists/*", "-C", root, "-cf", tar, "."], check=True)
    image = f"{layout}:base"
    subprocess.run(["umoci", "init", "--layout", layout], check=True)
    subprocess.run(["umoci", "new", "--image", image], check=True)
    subprocess.run(["umoci", "raw", "add-layer", "--image", image, tar], check=True)
    subprocess.run(["umoci", "gc", "--layout", layout], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(root)
    tar.unlink()
    return layout


def with_top_layer(layout, name, n):
    """The image `base` with one small layer more, as image `name`."""
    tar = layout.parent / "top.tar"
    with tarfile.open(tar, "w") as archive:
        text = f"Metadata-Version: 2.1\nName: Jinja2\nVersion: 2.{n}\n".encode()
        member = tarfile.TarInfo(f"opt/app/Jinja2-2.{n}.dist-info/METADATA")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    subprocess.run(["umoci", "tag", "--image", f"{layout}:base", name], check=True)
    subprocess.run(["umoci", "raw", "add-layer", "--image", f"{layout}:{name}", tar], check=True)


def layers_of(layout, name):
    blob = lambda digest: layout / "blobs" / digest.replace(":", "/")
    index = json.loads((layout / "index.json").read_text())
    entry = next(m for m in index["manifests"] if m["annotations"]["org.opencontainers.image.ref.name"] == name)
    manifest = json.loads(blob(entry["digest"]).read_text())
    return [blob(layer["digest"]) for layer in manifest["layers"]]


def forget_layers(data):
    """Empties the cache; the folder belongs to a scanner that may be running."""
    for path in (data / "cache").rglob("*"):
        if path.is_file():
            path.unlink()


def measure_import(binary, folder):
    data = folder / "import"
    seconds, peak, _ = run([binary, "--data-dir", data, "advisories", "import", ADVISORIES])
    size = max(path.stat().st_size for path in data.rglob("*") if path.is_file()) / 1e6
    unzip, _, _ = run(["sh", "-c", 'for zip in "$0"/*.zip; do unzip -p "$zip"; done | wc -c', ADVISORIES])
    row("import of all advisories", f"{seconds:.1f} s, {peak:.0f} MB", "≤ 20 s, ≤ 500 MB", f"{seconds / unzip:.1f} × `unzip -p`")
    row("advisory database", f"{size:.0f} MB", "≤ 120 MB")
    return data


def measure_image(binary, data, layout, name, what, unpacker, most_memory):
    """Scans of one image without and with the cache, beside unpacking its layers one after the other."""
    scan = [binary, "--data-dir", data, "scan", "--format", "json", f"oci:{layout}:{name}"]
    ratios, plain, peaks = [], [], []
    layers = layers_of(layout, name)
    for _ in range(5):
        forget_layers(data)
        seconds, peak, _ = run(scan)
        inflate, _, _ = run(["sh", "-c", f'{unpacker} "$@" >/dev/null', "sh", *layers])
        ratios.append(seconds / inflate)
        plain.append(seconds)
        peaks.append(peak)
    megabytes = sum(layer.stat().st_size for layer in layers) / 1e6
    row(f"scan, {megabytes:.0f} MB {what}", f"{statistics.median(plain):.2f} s", f"≤ 1.3 × {unpacker}",
        f"{statistics.median(ratios):.2f} × `{unpacker}`")
    row(f"peak memory, {what}", f"{max(peaks):.0f} MB", f"≤ {most_memory} MB")
    cached = [run(scan)[0] for _ in range(5)]
    row("the same scan, layers cached", f"{statistics.median(cached) * 1000:.0f} ms", "")


def measure_full(binary, folder, data, image):
    if image is None:
        image = folder / "full"
        subprocess.run([ROOT / "tests" / "bench" / "make_full_image.sh", image], check=True, stdout=subprocess.DEVNULL)
    for kind in ("gzip", "zstd"):
        measure_image(binary, data, image / kind, "full", f"image of all formats, {kind}", f"{kind} -dc", 256)


def measure_scan(binary, folder, data, layout):
    measure_image(binary, data, layout, "base", "Debian image", "gzip -dc", 150)
    purls = folder / "one.purl"
    purls.write_text("pkg:pypi/jinja2@2.11.2\n")
    first = [run([binary, "--data-dir", data, "explain", "pkg:pypi/jinja2@2.11.2"])[0] for _ in range(11)]
    true = [run(["true"])[0] for _ in range(11)]
    row("start to first look-up", f"{statistics.median(first) * 1000:.0f} ms", "≤ 30 ms",
        f"`true` takes {statistics.median(true) * 1000:.0f} ms")


class Registry:
    """Debian's docker-registry on a free port."""

    def __init__(self, folder, webhook, secret):
        self.host = f"127.0.0.1:{free_port()}"
        config = folder / "registry.yml"
        config.write_text(json.dumps({
            "version": 0.1, "log": {"level": "error"}, "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
            "http": {"addr": self.host, "secret": "bench"},
            "notifications": {"endpoints": [{"name": "plimsoll", "url": webhook, "timeout": "2s", "threshold": 3, "backoff": "200ms",
                                             "headers": {"Authorization": [f"Bearer {secret}"]}}]},
        }))
        self.process = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def push(self, layout, image, name):
        subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", "--dest-tls-verify=false", "--preserve-digests",
                        f"oci:{layout}:{image}", f"docker://{self.host}/{name}"], check=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def api(url, data, path):
    token = (data / "secrets" / "admin.token").read_text().strip()
    request = urllib.request.Request(f"{url}/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def wait_for(probe):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if value := probe():
                return value
        except OSError:
            pass
        time.sleep(0.02)
    raise SystemExit("waited in vain")


def accepted_to_recorded(url, data, seen):
    """Seconds from accepted to recorded of the one scan that is not in `seen`."""
    def ended():
        scans = [scan for scan in api(url, data, "/scans?limit=500")["items"] if scan["job"]["id"] not in seen]
        return next((scan for scan in scans if scan["status"] in ("complete", "partial", "failed", "dead")), None)
    scan = wait_for(ended)
    if scan["status"] not in ("complete", "partial"):
        raise SystemExit(f"the scan ended badly: {scan}")
    seen.add(scan["job"]["id"])
    seconds = lambda step: time_of(step["at"])
    return seconds(scan["timeline"][-1]) - seconds(scan["timeline"][0])


def time_of(text):
    from datetime import datetime
    return datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00").timestamp()


def measure_push(binary, folder, data, layout):
    port, secret = free_port(), "bench"
    url = f"http://127.0.0.1:{port}"
    registry = Registry(folder, f"{url}/webhooks/distribution", secret)
    config = folder / "plimsoll.toml"
    config.write_text(f'''
[log]
filter = "error"
[receiver]
listen = "127.0.0.1:{port}"
[registries.local]
host = "{registry.host}"
plain_http = true
[sources.distribution]
kind = "distribution"
secrets = ["{secret}"]
''')
    process = subprocess.Popen([binary, "--config", config, "--data-dir", data, "up"], stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: urllib.request.urlopen(f"{url}/healthz"))
        seen, cold, warm = set(), [], []
        for n in range(7):
            forget_layers(data)
            with_top_layer(layout, f"cold{n}", n)
            registry.push(layout, f"cold{n}", f"bench/cold:{n}")
            cold.append(accepted_to_recorded(url, data, seen))
        for n in range(15):
            with_top_layer(layout, f"warm{n}", 100 + n)
            registry.push(layout, f"warm{n}", f"bench/warm:{n}")
            warm.append(accepted_to_recorded(url, data, seen))
        inflate = statistics.median(run(["sh", "-c", 'gzip -dc "$@" >/dev/null', "sh", *layers_of(layout, "base")])[0] for _ in range(3))
        row("push to recorded, cold", f"p50 {statistics.median(cold) * 1000:.0f} ms", "p50 ≤ 1.5 s",
            f"{statistics.median(cold) / inflate:.2f} × `gzip -dc` of its layers")
        row("push to recorded, small top layer new", f"p50 {statistics.median(warm) * 1000:.0f} ms", "p50 ≤ 300 ms",
            f"{statistics.median(warm) / inflate:.2f} × `gzip -dc` of its layers")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        registry.process.terminate()


class HashingFile:
    """A file that knows the digest and size of what was written to it."""

    def __init__(self, path):
        self.file, self.hash, self.size = open(path, "wb"), hashlib.sha256(), 0

    def write(self, data):
        self.hash.update(data)
        self.size += len(data)
        return self.file.write(data)

    def flush(self):
        self.file.flush()


def one_layer_layout(folder, fill):
    """An OCI layout whose only layer is the gzip tar that `fill(raw)` writes."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    out = HashingFile(blobs / "layer")
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1, mtime=0) as stream:
        fill(stream)
        stream.write(bytes(1024))
    out.file.close()
    digest = out.hash.hexdigest()
    (blobs / "layer").rename(blobs / digest)

    def put(value):
        text = json.dumps(value).encode()
        name = hashlib.sha256(text).hexdigest()
        (blobs / name).write_bytes(text)
        return {"digest": f"sha256:{name}", "size": len(text)}

    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": f"sha256:{digest}", "size": out.size}
    config = put({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
    manifest = put({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [layer],
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config}})
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", **manifest,
             "annotations": {"org.opencontainers.image.ref.name": "big"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return folder


def header(name, size):
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


def measure_memory(binary, folder, data):
    def five_gigabytes(stream):
        block = random.Random(1).randbytes(1 << 20) + bytes(3 << 20)
        for n in range(20):
            stream.write(header(f"opt/data/{n}", 256 << 20))
            for _ in range(64):
                stream.write(block)

    def three_million_files(stream):
        for n in range(3_000_000):
            stream.write(header(f"srv/files/{n // 1000}/{n}.txt", 0))

    for what, fill, most in (("5 GB layer", five_gigabytes, 150), ("3 million files", three_million_files, 300)):
        layout = one_layer_layout(folder / what.replace(" ", "-"), fill)
        seconds, peak, _ = run([binary, "--data-dir", data, "scan", "--format", "json", f"oci:{layout}"])
        inflate, _, _ = run(["sh", "-c", 'gzip -dc "$@" >/dev/null', "sh", *layers_of(layout, "big")])
        row(f"peak memory, {what}", f"{peak:.0f} MB", f"≤ {most} MB", f"{seconds:.1f} s, {seconds / inflate:.2f} × `gzip -dc`")
        shutil.rmtree(layout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=ROOT / "target" / "release" / "plimsoll", type=pathlib.Path)
    parser.add_argument("what", nargs="*", metavar="import|scan|full|push|memory")
    parser.add_argument("--full-image", type=pathlib.Path, help="what make_full_image.sh built")
    arguments = parser.parse_args()
    wanted = set(arguments.what) or {"import", "scan", "full", "push", "memory"}
    binary = arguments.binary.resolve()
    os.environ.setdefault("RUST_LOG", "error")
    print("| What | Measured | Target | Beside it |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="plimsoll-bench-", dir=ROOT) as name:
        folder = pathlib.Path(name)
        data = measure_import(binary, folder)
        if wanted & {"scan", "push"}:
            layout = debian_layout(folder)
        if "scan" in wanted:
            measure_scan(binary, folder, data, layout)
        if "full" in wanted:
            measure_full(binary, folder, data, arguments.full_image)
        if "push" in wanted:
            measure_push(binary, folder, data, layout)
        if "memory" in wanted:
            measure_memory(binary, folder, data)


main()
