//! Files that packages brought, as their headers list them: names of files, names of folders, and for each file the
//! number of its folder.

use super::header::{Header, Tag};
use crate::catalogers::Found;

/// Folders of one package; the others' files have no owner.
const FOLDER_LIMIT: usize = 1 << 20;

/// Bytes of one path: Linux's own limit.
const PATH_LIMIT: usize = 4096;

/// What all files of a database may cost, in bytes of their paths and [`FILE`] each; a full desktop has some 60 MB of them.
const BUDGET: usize = 1 << 30;

const FILE: usize = 128;

/// Notes owners of files while that can be paid for.
pub(super) struct Files {
    budget: usize,
}

impl Default for Files {
    fn default() -> Self {
        Self { budget: BUDGET }
    }
}

impl Files {
    /// Notes the files of `package`.
    pub(super) fn own(&mut self, package: &str, header: &Header<'_>, found: &mut Found) {
        let folders: Vec<_> = header.texts(Tag::DirNames).take(FOLDER_LIMIT).collect();
        let mut path = Vec::new();
        for (name, folder) in header.texts(Tag::BaseNames).zip(header.numbers(Tag::DirIndexes)) {
            let Some(folder) = folders.get(folder as usize) else { continue };
            let length = folder.len() + name.len();
            if length > PATH_LIMIT {
                continue;
            }
            let Some(budget) = self.budget.checked_sub(length + FILE) else {
                return found.problem(format!("which files {package} brought is not known: there are too many"));
            };
            self.budget = budget;
            path.clear();
            path.extend_from_slice(folder.strip_prefix(b"/").unwrap_or(folder));
            path.extend_from_slice(name);
            found.own(package, &String::from_utf8_lossy(&path));
        }
    }
}
