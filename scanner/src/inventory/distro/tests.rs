//! Distributions by what their images really have in os-release.

use proptest::prelude::*;

use super::*;
use crate::catalogers::{CATALOGERS, Found};

fn of(text: &str) -> Distro {
    let mut found = Found::default();
    let reader = CATALOGERS.iter().find(|cataloger| cataloger.wants("etc/os-release")).unwrap();
    reader.catalog("etc/os-release", &mut text.as_bytes(), &mut found).unwrap();
    distro(&found.os_release.unwrap())
}

#[test]
fn images_have_the_ecosystems_of_their_distributions() {
    for (text, expected) in [
        (
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian",
            "Debian:12",
        ),
        ("PRETTY_NAME=\"Debian GNU/Linux trixie/sid\"\nVERSION_CODENAME=trixie\nID=debian", "Debian:13"),
        ("PRETTY_NAME=\"Debian GNU/Linux bookworm/sid\"\nID=debian", "Debian:12"),
        (
            "NAME=\"Docker Hardened Images (Debian)\"\nID=debian\nVERSION_ID=13\nVERSION_CODENAME=trixie\nPRETTY_NAME=\"Docker Hardened Images/Debian GNU/Linux 13 (trixie)\"",
            "Debian:13",
        ),
        (
            "PRETTY_NAME=\"Ubuntu 22.04.3 LTS\"\nVERSION_ID=\"22.04\"\nVERSION_CODENAME=jammy\nID=ubuntu\nID_LIKE=debian\nUBUNTU_CODENAME=jammy",
            "Ubuntu:22.04:LTS",
        ),
        ("NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.18.9\nPRETTY_NAME=\"Alpine Linux v3.18\"", "Alpine:v3.18"),
        ("ID=wolfi\nNAME=\"Wolfi\"\nPRETTY_NAME=\"Wolfi\"\nVERSION_ID=\"20230201\"", "Wolfi"),
        ("ID=chainguard\nNAME=\"chainguard\"\nPRETTY_NAME=\"Chainguard\"\nVERSION_ID=\"20230214\"", "Chainguard"),
        (
            "NAME=\"Red Hat Enterprise Linux\"\nVERSION=\"9.4 (Plow)\"\nID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"\nPLATFORM_ID=\"platform:el9\"\nPRETTY_NAME=\"Red Hat Enterprise Linux 9.4 (Plow)\"\nCPE_NAME=\"cpe:/o:redhat:enterprise_linux:9::baseos\"",
            "Red Hat:enterprise_linux:9",
        ),
        (
            "NAME=\"CentOS Linux\"\nVERSION=\"7 (Core)\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"\nPRETTY_NAME=\"CentOS Linux 7 (Core)\"",
            "Red Hat:enterprise_linux:7",
        ),
        (
            "NAME=\"AlmaLinux\"\nVERSION=\"9.4 (Seafoam Ocelot)\"\nID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"",
            "AlmaLinux:9",
        ),
        (
            "NAME=\"Rocky Linux\"\nVERSION=\"9.3 (Blue Onyx)\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.3\"",
            "Rocky Linux:9",
        ),
        (
            "NAME=\"SLES\"\nVERSION=\"15-SP5\"\nVERSION_ID=\"15.5\"\nPRETTY_NAME=\"SUSE Linux Enterprise Server 15 SP5\"\nID=\"sles\"\nID_LIKE=\"suse\"",
            "SUSE:Linux Enterprise Server 15 SP5",
        ),
        (
            "NAME=\"openSUSE Leap\"\nVERSION=\"15.6\"\nID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\nVERSION_ID=\"15.6\"",
            "openSUSE:Leap 15.6",
        ),
        (
            "NAME=\"openSUSE Tumbleweed\"\n# VERSION=\"20240101\"\nID=\"opensuse-tumbleweed\"\nVERSION_ID=\"20240101\"",
            "openSUSE:Tumbleweed",
        ),
        (
            "NAME=\"Microsoft Azure Linux\"\nVERSION=\"3.0.20240727\"\nID=azurelinux\nVERSION_ID=\"3.0\"",
            "Azure Linux:3",
        ),
        (
            "NAME=\"Common Base Linux Mariner\"\nVERSION=\"2.0.20240301\"\nID=mariner\nVERSION_ID=\"2.0\"",
            "Azure Linux:2",
        ),
        ("NAME=\"VMware Photon OS\"\nVERSION=\"5.0\"\nID=photon\nVERSION_ID=5.0", "Photon OS:5.0"),
        (
            "NAME=\"openEuler\"\nVERSION=\"22.03 (LTS-SP3)\"\nID=\"openEuler\"\nVERSION_ID=\"22.03\"\nPRETTY_NAME=\"openEuler 22.03 (LTS-SP3)\"",
            "openEuler:22.03-LTS-SP3",
        ),
        ("NAME=\"Mageia\"\nVERSION=\"9\"\nID=mageia\nVERSION_ID=9\nID_LIKE=\"mandriva fedora\"", "Mageia:9"),
        (
            "NAME=\"BellSoft Alpaquita Linux Stream\"\nID=alpaquita\nID_LIKE=alpine\nVERSION_ID=stream",
            "Alpaquita:stream",
        ),
        ("ID=minimos\nNAME=\"MinimOS\"\nPRETTY_NAME=\"MinimOS\"\nVERSION_ID=\"20241031\"", "MinimOS"),
        (
            "NAME=\"Linux Mint\"\nVERSION=\"21.3 (Virginia)\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"21.3\"\nVERSION_CODENAME=virginia\nUBUNTU_CODENAME=jammy",
            "Ubuntu:22.04:LTS",
        ),
        (
            "NAME=\"LMDE\"\nID=linuxmint\nID_LIKE=debian\nVERSION_ID=\"6\"\nVERSION_CODENAME=faye\nDEBIAN_CODENAME=bookworm",
            "Debian:12",
        ),
        (
            "NAME=\"Pop!_OS\"\nID=pop\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"22.04\"\nUBUNTU_CODENAME=jammy",
            "Ubuntu:22.04:LTS",
        ),
    ] {
        assert_eq!(of(text).ecosystem.as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn distributions_without_advisories_say_why() {
    let changed = Gap::Changed("Debian");
    for (text, gap) in [
        ("PRETTY_NAME=\"Alpine Linux edge\"\nID=alpine\nVERSION_ID=3.21_alpha20240807", Gap::Rolling),
        ("NAME=\"Arch Linux\"\nID=arch\nBUILD_ID=rolling\nVERSION_ID=20261101.0.1", Gap::Rolling),
        (
            "NAME=\"CentOS Stream\"\nVERSION=\"8\"\nID=\"centos\"\nVERSION_ID=\"8\"\nPRETTY_NAME=\"CentOS Stream 8\"",
            Gap::Changed("Red Hat Enterprise Linux"),
        ),
        (
            "NAME=\"CentOS Stream\"\nID=\"centos\"\nVERSION_ID=\"9\"\nPRETTY_NAME=\"CentOS Stream 9\"",
            Gap::Changed("Red Hat Enterprise Linux"),
        ),
        ("NAME=\"Oracle Linux Server\"\nID=\"ol\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.3\"", Gap::Unpublished),
        (
            "NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"",
            Gap::Unpublished,
        ),
        ("NAME=\"Fedora Linux\"\nID=fedora\nVERSION_ID=43", Gap::Unpublished),
        (
            "NAME=\"openEuler\"\nID=\"openEuler\"\nVERSION_ID=\"23.09\"\nPRETTY_NAME=\"openEuler 23.09\"",
            Gap::Unpublished,
        ),
        (
            "NAME=\"Raspbian GNU/Linux\"\nID=raspbian\nID_LIKE=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm",
            changed,
        ),
        (
            "NAME=\"Kali GNU/Linux\"\nID=kali\nID_LIKE=debian\nVERSION_ID=\"2024.1\"\nVERSION_CODENAME=kali-rolling",
            changed,
        ),
        ("NAME=\"Linux Mint\"\nID=linuxmint", Gap::Unknown),
        ("NAME=Something", Gap::Unknown),
    ] {
        let distro = of(text);
        assert_eq!((distro.ecosystem.clone(), Gap::of(&distro)), (None, gap), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_os_release_is_read(
        id in "debian|ubuntu|alpine|sles|openEuler|rhel|centos|linuxmint|[a-z]{0,6}",
        version in "[0-9.]{0,8}|\\PC{0,8}",
        name in "(openEuler|Stream|/sid|[()]|\\PC){0,6}",
        codename in "[a-z]{0,8}",
    ) {
        let text = format!("ID={id}\nVERSION_ID=\"{version}\nPRETTY_NAME='{name}\nUBUNTU_CODENAME={codename}\nVERSION_CODENAME={codename}");
        let distro = of(&text);
        prop_assert!(!Gap::of(&distro).why().is_empty());
    }

    #[test]
    fn any_text_is_read_as_os_release(text in "([A-Z_]{1,10}=)?\\PC{0,40}(\n[A-Z_]{1,12}=[\"']?[a-z0-9.]{0,9}[\"']?){0,4}") {
        let _ = of(&text);
    }
}
