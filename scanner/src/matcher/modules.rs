//! Modules of rpm distributions: several streams of one package in one release, each built and fixed on its own.
//!
//! A module's builds have `.module` in their releases (`1.14.1-9.module_el8.0.0+184+e34fea82`, `….module+el8…`). What an
//! advisory says of a module's builds says nothing of others, nor of another stream's, and the other way around.
//!
//! A module is built again for each minor release, and AlmaLinux's advisories list each of those builds, as an entry of
//! its own. They are one fix: a package that has reached one of the builds has it.

use shared::package::Package;

use super::judge::Verdict;
use crate::advisories::{Entry, EventKind};

const MARK: &str = ".module";

/// Whether an entry may speak of a package, going by the modules of both.
pub(super) fn may_concern(entry: &Entry<'_>, package: &Package) -> bool {
    match (builds(entry).next(), package.module.as_deref()) {
        (None, _) if entry.modules.is_empty() => {
            package.module.is_none() && !package.version.contains(MARK) || has_no_end(entry)
        }
        (_, Some(module)) => entry.modules.is_empty() || entry.modules.iter().any(|stream| is_same(module, stream)),
        (_, None) => package.version.contains(MARK),
    }
}

/// Of entries of one record about one package, whether `entry` is a build of a fix of which `others` judge that the
/// package has another build.
pub(super) fn is_fixed_by_other_build<'e>(
    entry: &Entry<'_>,
    others: impl Iterator<Item = (&'e Entry<'e>, &'e Verdict)>,
) -> bool {
    let Some(build) = builds(entry).next() else { return false };
    let mut others = others.filter(|(other, verdict)| other.record == entry.record && **verdict == Verdict::Free);
    others.any(|(other, _)| builds(other).any(|other| other == build))
}

/// The versions of a module's fixes, without what tells the builds apart.
fn builds<'e>(entry: &'e Entry<'_>) -> impl Iterator<Item = &'e str> {
    let ends = entry.ranges.iter().flat_map(|range| &range.events).filter(|event| event.kind != EventKind::Introduced);
    ends.filter_map(|event| event.version.split_once(MARK)).map(|(build, _)| build)
}

/// Whether nothing is known of fixes, so that nobody can tell whose they would be.
fn has_no_end(entry: &Entry<'_>) -> bool {
    entry.ranges.iter().flat_map(|range| &range.events).all(|event| event.kind == EventKind::Introduced)
}

/// rpm's label may go on with version, context and architecture: `nodejs:18:8080020230322:9edba152`.
fn is_same(label: &str, stream: &str) -> bool {
    label.strip_prefix(stream).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisories::{Event, Range, RangeKind};

    fn below<'a>(fixed: &'a str, modules: &[&'a str]) -> Entry<'a> {
        let events =
            vec![Event { kind: EventKind::Introduced, version: "0" }, Event { kind: EventKind::Fixed, version: fixed }];
        let events = events.into_iter().filter(|event| !event.version.is_empty()).collect();
        Entry {
            ranges: vec![Range { kind: RangeKind::Ecosystem, events }],
            modules: modules.to_vec(),
            ..Entry::default()
        }
    }

    #[test]
    fn modules_and_others_are_kept_apart() {
        let package = |version: &str, module: Option<&str>| Package {
            version: version.into(),
            module: module.map(str::to_owned),
            ..Package::default()
        };
        let plain = package("1.20-1.el8", None);
        let built = package("1:16.20-1.module_el8.8.0+1", None);
        let labelled = package("1:16.20-1.module_el8.8.0+1", Some("nodejs:16"));
        let (fix, of_module) = (below("1.21-1.el8", &[]), below("1:18.2-1.module_el8.8.0+2", &[]));
        let (of_18, of_16) =
            (below("1:18.2-1.module+el8", &["nodejs:18"]), below("1:16.21-1.module+el8", &["nodejs:16"]));
        for (entry, concerned) in [
            (&fix, [true, false, false]),
            (&of_module, [false, true, true]),
            (&of_18, [false, true, false]),
            (&of_16, [false, true, true]),
            (&below("", &[]), [true, true, true]),
        ] {
            let may = [&plain, &built, &labelled].map(|package| may_concern(entry, package));
            assert_eq!(may, concerned, "{entry:?}");
        }
        assert!(may_concern(&of_16, &package("1:16.20-1.module_el8", Some("nodejs:16:8080:9edba152"))));
        assert!(!may_concern(&of_16, &package("1:16.20-1.module_el8", Some("nodejs:160"))));
    }

    #[test]
    fn any_build_of_a_fix_will_do() {
        let (newer, older) = (below("1:0.1-2.module_el8.5.0+119", &[]), below("1:0.1-2.module_el8.4.0+2496", &[]));
        let other = below("1:0.2-1.module_el8.4.0+1", &[]);
        assert!(is_fixed_by_other_build(&newer, [(&older, &Verdict::Free)].into_iter()));
        assert!(!is_fixed_by_other_build(&newer, [(&older, &Verdict::Affected)].into_iter()));
        assert!(!is_fixed_by_other_build(&newer, [(&other, &Verdict::Free)].into_iter()));
    }
}
