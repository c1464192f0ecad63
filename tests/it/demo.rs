//! The first command of the README: it ends with findings on the screen and goes on serving.

use std::process::Command;

use crate::support::eventually;
use crate::support::process::Process;

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_ends_with_findings_and_serves_until_it_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("screen");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    let mut demo = Process::start(demo.args(["up", "--demo", "--data-dir"]).arg(folder.path().join("data")), &log);
    let screen = eventually("the demo serves", async || {
        let screen = std::fs::read_to_string(&log).unwrap();
        assert!(!demo.has_ended(), "{screen}");
        screen.contains("Serving until Ctrl-C").then_some(screen)
    })
    .await;
    for expected in
        ["CVE-2019-10744", "CVE-2020-28493", "Fixed in", "accepted", "complete", "curl -H 'Authorization: Bearer "]
    {
        assert!(screen.contains(expected), "{expected} is not in:\n{screen}");
    }

    let curl = screen.lines().find(|line| line.trim_start().starts_with("curl ")).unwrap();
    let words: Vec<_> = curl.split('\'').collect();
    let (name, value) = words[1].split_once(": ").unwrap();
    let answer = reqwest::Client::new().get(words[3]).header(name, value).send().await.unwrap();
    let found: serde_json::Value = answer.json().await.unwrap();
    let severities = found["items"].as_array().unwrap().iter().map(|finding| finding["severity"].as_str().unwrap());
    assert!(
        severities.clone().count() > 5
            && severities.into_iter().all(|severity| ["high", "critical"].contains(&severity))
    );
    assert!(demo.terminate().success());
}
