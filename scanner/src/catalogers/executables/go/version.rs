//! What Go's compiler calls itself, as a semantic version.

/// `go1.22.3` is `1.22.3`, `go1.22rc1` is `1.22.0-rc.1`, `devel go1.23-0cd1f22` is `1.23.0-devel`. What a vendor or an
/// experiment adds (`go1.22.3 X:boringcrypto`, `go1.21.9 (Red Hat 1.21.9-2)`, `go1.18.5b7`) is passed over.
pub(super) fn of_compiler(text: &str) -> Option<String> {
    let is_development = text.starts_with("devel");
    let mut words = text.split_whitespace();
    let version = words.find_map(|word| word.strip_prefix("go").filter(|rest| rest.starts_with(is_digit)))?;
    let end = version.find(|character: char| !is_digit(character) && character != '.').unwrap_or(version.len());
    let (numbers, rest) = version.split_at(end);
    let mut numbers = numbers.split('.').map(|number| if number.is_empty() { "0" } else { number });
    let mut next = || numbers.next().unwrap_or("0");
    let release = format!("{}.{}.{}", next(), next(), next());
    if is_development {
        return Some(format!("{release}-devel"));
    }
    Some(match pre_release(rest) {
        Some((name, number)) => format!("{release}-{name}.{number}"),
        None => release,
    })
}

/// `rc1` and `beta2`.
fn pre_release(rest: &str) -> Option<(&'static str, &str)> {
    ["beta", "rc"].into_iter().find_map(|name| {
        let number = rest.strip_prefix(name)?;
        let number = &number[..number.find(|character| !is_digit(character)).unwrap_or(number.len())];
        (!number.is_empty()).then_some((name, number))
    })
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::of_compiler;

    #[test]
    fn versions_of_the_compiler() {
        for (text, version) in [
            ("go1.22.3", "1.22.3"),
            ("go1.20", "1.20.0"),
            ("go1.22rc1", "1.22.0-rc.1"),
            ("go1.9.2rc2", "1.9.2-rc.2"),
            ("go1.18beta12", "1.18.0-beta.12"),
            ("go1.22.3 X:boringcrypto", "1.22.3"),
            ("go1.22.3-X:nocoverageredesign", "1.22.3"),
            ("go1.21.9 (Red Hat 1.21.9-2.el9_4)", "1.21.9"),
            ("go1.18.5b7", "1.18.5"),
            ("devel go1.23-0cd1f22 Mon Jan 1 00:00:00 2024 +0000 linux/amd64", "1.23.0-devel"),
            ("go1.26.8", "1.26.8"),
        ] {
            assert_eq!(of_compiler(text).as_deref(), Some(version), "{text}");
        }
        for text in ["", "devel +0cd1f22 Mon Jan 1 00:00:00 2018 +0000", "go", "golang", "1.22.3", "gopher é"] {
            assert_eq!(of_compiler(text), None, "{text}");
        }
    }
}
