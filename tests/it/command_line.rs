//! What a person at a terminal, or a CI job, gets.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::eventually;
use crate::support::image::{Layout, debian_layer, python_layer};
use crate::support::plimsoll::Installation;
use crate::support::process::{Process, run};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
}

fn application() -> (Installation, Layout) {
    let mut layout = Layout::new();
    layout.add("app", &[debian_layer(), python_layer("Jinja2", "2.11.2")]);
    (Installation::new(""), layout)
}

#[test]
fn a_scan_answers_programs_with_everything() {
    let (installation, layout) = application();
    let target = format!("oci:{}", layout.path().display());
    let output = installation.run(&["scan", &target, "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let document = json(&output);
    assert_eq!(document["target"], target.as_str());
    assert_eq!(document["outcome"], "complete", "{}", document["warnings"]);
    for key in ["digest", "warnings", "advisories", "distro"] {
        assert!(!document[key].is_null(), "{key}");
    }
    let package = document["packages"].as_array().unwrap().iter().find(|package| package["name"] == "Jinja2").unwrap();
    assert_eq!(
        (package["purl"].as_str(), package["ecosystem"].as_str()),
        (Some("pkg:pypi/jinja2@2.11.2"), Some("PyPI"))
    );
    assert!(package["layer"].as_str().unwrap().starts_with("sha256:") && package["path"] != "");
    let finding =
        document["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == "CVE-2020-28493").unwrap();
    for key in
        ["aliases", "package", "version", "ecosystem", "severity", "fixed_version", "title", "references", "purl"]
    {
        assert!(finding.get(key).is_some_and(|value| !value.is_null()), "{key}: {finding}");
    }
    assert!(finding["aliases"].as_array().unwrap().iter().any(|alias| alias.as_str().unwrap().starts_with("GHSA-")));
    assert_eq!(finding["fixed_version"], "2.11.3");
}

#[test]
fn exit_statuses_serve_a_pipeline() {
    let (installation, layout) = application();
    let target = format!("oci:{}", layout.path().display());
    assert_eq!(installation.run(&["scan", &target, "--fail-on", "low"]).status.code(), Some(1));
    assert_eq!(installation.run(&["scan", &target, "--fail-on", "awful"]).status.code(), Some(2));
    assert_eq!(installation.run(&["scan"]).status.code(), Some(2));
    let absent = installation.run(&["scan", "oci:/nowhere"]);
    assert_eq!(absent.status.code(), Some(3));
    assert!(text(&absent.stderr).contains("/nowhere"), "{}", text(&absent.stderr));
    let unreachable = installation.run(&["scan", "127.0.0.1:1/a/b:c"]);
    assert_eq!(unreachable.status.code(), Some(3));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    let (installation, layout) = application();
    let target = format!("oci:{}", layout.path().display());
    let mut scan = installation.command(&["scan", &target, "--fail-on", "low"]);
    let mut scan = scan.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(scan.stdout.take());
    let output = scan.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(1), ""));
}

#[test]
fn a_terminal_of_80_columns_gets_one_line_for_each_finding() {
    let (installation, layout) = application();
    let target = format!("oci:{}", layout.path().display());
    let scan = installation.command(&["scan", &target]);
    let words = std::iter::once(scan.get_program()).chain(scan.get_args());
    let words: Vec<_> = words.map(|word| format!("{word:?}")).collect();
    let line = format!("stty cols 80; NO_COLOR=1 {}", words.join(" "));
    let shown = run(Command::new("script").args(["-qec", &line, "/dev/null"]));
    let findings =
        json(&installation.run(&["scan", &target, "--format", "json"]))["findings"].as_array().unwrap().len();
    let lines: Vec<_> = shown.lines().filter(|line| line.contains("  CVE-")).collect();
    assert_eq!(lines.len(), findings, "{shown}");
    assert!(lines.iter().all(|line| line.trim_end().chars().count() <= 80), "{shown}");
}

#[test]
fn one_image_from_three_places_gives_one_answer() {
    let (installation, layout) = application();
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("app.tar");
    let source = format!("oci:{}:app", layout.path().display());
    run(Command::new("skopeo")
        .args(["copy", "-q", "--insecure-policy", &source])
        .arg(format!("docker-archive:{}:shop:app", archive.display())));
    let root = folder.path().join("root");
    for (from, to) in [("status", "var/lib/dpkg/status"), ("os-release", "usr/lib/os-release")] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/debian12").join(from);
        std::fs::create_dir_all(root.join(to).parent().unwrap()).unwrap();
        std::fs::copy(from, root.join(to)).unwrap();
    }
    let metadata = root.join("opt/app/Jinja2-2.11.2.dist-info/METADATA");
    std::fs::create_dir_all(metadata.parent().unwrap()).unwrap();
    std::fs::write(metadata, "Metadata-Version: 2.1\nName: Jinja2\nVersion: 2.11.2\n").unwrap();

    let found = |target: &str| {
        let document = json(&installation.run(&["scan", target, "--format", "json"]));
        let pick = |list: &str, keys: [&str; 2]| {
            let items = document[list].as_array().unwrap().iter();
            items.map(|item| keys.map(|key| item[key].to_string())).collect::<std::collections::BTreeSet<_>>()
        };
        (pick("packages", ["name", "version"]), pick("findings", ["id", "package"]))
    };
    let from_layout = found(&source);
    assert!(from_layout.0.len() > 70 && !from_layout.1.is_empty());
    assert_eq!(from_layout, found(&format!("docker-archive:{}", archive.display())));
    assert_eq!(from_layout, found(&format!("rootfs:{}", root.display())));
}

#[test]
fn package_urls_are_matched_and_explained() {
    let installation = Installation::new("");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("purls");
    std::fs::write(&file, "pkg:pypi/jinja2@2.11.2\npkg:npm/lodash@4.17.4\n").unwrap();
    let document = json(&installation.run(&["scan", &format!("purls:{}", file.display()), "--format", "json"]));
    assert_eq!(document["packages"].as_array().unwrap().len(), 2);
    let found: Vec<_> =
        document["findings"].as_array().unwrap().iter().map(|finding| finding["package"].as_str().unwrap()).collect();
    assert!(found.contains(&"jinja2") && found.contains(&"lodash"), "{found:?}");
    let why = installation.run(&["explain", "pkg:pypi/jinja2@2.11.2", "CVE-2020-28493"]);
    assert_eq!(why.status.code(), Some(0), "{}", text(&why.stderr));
    assert!(text(&why.stdout).contains("2.11.3"), "{}", text(&why.stdout));
}

#[test]
fn versions_check_says_what_does_not_hold() {
    let installation = Installation::new("");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("versions");
    std::fs::write(&file, "# comment\n1.0~rc1 < 1.0\n// comment\n2:1 > 3.0\n1.0 = 1.0\n1 > 2\n").unwrap();
    let output = installation.run(&["versions", "check", "Debian", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("1 > 2") && said.ends_with("3 hold, 1 do not\n"), "{said}");
}

#[test]
fn a_wrong_configuration_is_named() {
    let installation = Installation::new("");
    assert_eq!(installation.run(&["config", "check"]).status.code(), Some(0));
    installation.configure("[registries.x]\nhost = \"a\"\npasword = \"b\"\n");
    let output = installation.run(&["config", "check"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("pasword") && said.contains("plimsoll.toml"), "{said}");
    for (section, key) in [
        ("[queue]\nkind = \"rabbitmq\"\nurl = \"http://broker\"\n", "queue"),
        ("[advisories]\nurl = \"nonsense\"\n", "advisories"),
        ("[log]\nfilter = \"==\"\n", "log.filter"),
        ("[sources.x]\nkind = \"distribution\"\nsecrets = [{ file = \"/nowhere\" }]\n", "sources.x.secrets"),
    ] {
        let installation = Installation::new("");
        installation.configure(section);
        let output = installation.run(&["config", "check"]);
        assert_eq!(output.status.code(), Some(2), "{section}");
        let said = text(&output.stderr);
        assert!(said.contains(key) && said.contains("plimsoll.toml"), "{said}");
    }
    let missing = Installation::new(
        "[registries.x]\nhost = \"a\"\nusername = \"u\"\npassword = { env = \"PLIMSOLL_NO_SUCH_VARIABLE\" }\n",
    );
    let said = text(&missing.run(&["config", "check"]).stderr);
    assert!(said.contains("plimsoll.toml: registries.x") && said.contains("PLIMSOLL_NO_SUCH_VARIABLE"), "{said}");
}

#[test]
fn the_example_configuration_is_true() {
    let installation = Installation::new("");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/config/plimsoll.example.toml");
    assert_eq!(installation.run(&["config", "example"]).stdout, std::fs::read(&example).unwrap());
    let mut check = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    let output = check.args(["config", "check", "--config"]).arg(&example).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_start_makes_serves_from_any_folder() {
    let folder = tempfile::tempdir().unwrap();
    let screen = folder.path().join("screen");
    let mut up = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    up.current_dir(folder.path()).args(["up", "--data-dir", "data"]);
    up.env("PLIMSOLL_RECEIVER__LISTEN", "127.0.0.1:0").env("PLIMSOLL_ADVISORIES__URL", "http://127.0.0.1:1");
    let _up = Process::start(&mut up, &screen);
    eventually("it says what to paste", async || {
        std::fs::read_to_string(&screen).unwrap().contains("Authorization: [\"Bearer ").then_some(())
    })
    .await;
    let mut check = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    let check = check.current_dir("/").args(["config", "check", "--data-dir"]).arg(folder.path().join("data"));
    let output = check.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}
