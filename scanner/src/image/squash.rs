//! One view of an image from its layers, stacked from the bottom up.
//!
//! A layer changes what the layers below show: its whiteouts and opaque directories remove, its entries replace, and
//! everything else shines through. Whiteouts never touch their own layer.
//!
//! **Which layer a package comes from.** Package managers keep all packages in one file, so every layer that installs
//! something brings the whole file again. A package belongs to the lowest layer since which it is there without a break, at the
//! same path with the same version:
//!
//! | Layer | its `var/lib/dpkg/status` | `libc6 1` | `curl 7` | `curl 8` |
//! |---|---|---|---|---|
//! | 3, upgrades curl | libc6 1, curl 8 | | | **here** |
//! | 2, installs curl | libc6 1, curl 7 | | (gone in 3) | |
//! | 1, base | libc6 1 | **here** | | |

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use shared::image::Digest;

use super::layer::{LayerContents, LayerFile};
use super::path::{ancestors, fingerprint, resolve, resolve_parent};
use crate::catalogers::{Cataloger, FoundPackage, OsRelease, OwnedFiles};

/// A package and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayeredPackage {
    /// As its file describes it.
    pub package: FoundPackage,
    /// File that says it is installed, relative to the root.
    pub path: String,
    /// Layer since which it is there, without a break; `None` for a folder on this machine.
    pub layer: Option<Digest>,
}

/// Something in an image that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, relative to the root.
    pub path: String,
    /// Why, for people.
    pub why: String,
    /// Layer of the file; `None` for a folder on this machine, and for links.
    pub layer: Option<Digest>,
}

/// What is visible in an image once all layers are stacked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Squashed {
    /// Ordered by path, then as in the file.
    pub packages: Vec<LayeredPackage>,
    /// Paths and contents of os-release files.
    pub os_releases: Vec<(String, OsRelease)>,
    /// Files that packages of a distribution brought.
    pub owned: Vec<OwnedFiles>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// Digests of the layers, the lowest first.
    pub layers: Vec<Digest>,
}

/// A layer of the image at hand.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Its digest in the manifest; `None` for a folder on this machine.
    pub digest: Option<Digest>,
    /// What is in it.
    pub contents: Arc<LayerContents>,
}

/// Stacks `layers`, the lowest first.
pub fn squash(layers: &[Layer], catalogers: &[&dyn Cataloger]) -> Squashed {
    let mut stack = Stack::default();
    for (index, layer) in layers.iter().enumerate() {
        stack.add(index, &layer.contents);
    }
    let mut squashed = stack.found(layers);
    for layer in layers {
        squashed.problems.extend(layer.contents.problems.iter().map(|(path, why)| Problem {
            path: path.clone(),
            why: why.clone(),
            layer: layer.digest.clone(),
        }));
    }
    squashed.problems.extend(stack.unread_links(layers, catalogers));
    squashed.layers = layers.iter().filter_map(|layer| layer.digest.clone()).collect();
    squashed
}

/// What a stack of layers shows.
#[derive(Default)]
struct Stack<'a> {
    /// Read files by their path, with every link in it resolved; one for each cataloger that read it.
    files: BTreeMap<String, Vec<Visible<'a>>>,
    /// Symbolic links and their targets as written.
    links: BTreeMap<String, String>,
}

/// A file that is visible.
#[derive(Clone)]
struct Visible<'a> {
    /// Index of the layer that it comes from.
    layer: usize,
    file: &'a LayerFile,
    /// For each of its packages: index of the layer since which it is there.
    since: Vec<usize>,
}

/// What identifies a package within its file.
type Identity<'a> = (&'a str, &'a str, &'a str, Option<&'a str>);

fn identity(package: &FoundPackage) -> Identity<'_> {
    (&package.kind, &package.name, &package.version, package.architecture.as_deref())
}

impl<'a> Stack<'a> {
    fn add(&mut self, index: usize, layer: &'a LayerContents) {
        let mut gone = self.remove_whited_out(layer);
        self.remove_replaced(layer, &mut gone);
        self.add_links(layer);
        for file in &layer.files {
            // A file behind a loop of links can be reached by nobody.
            if let Some(path) = resolve_parent(&self.links, &file.path) {
                self.add_file(index, path, file, &gone);
            }
        }
    }

    /// Applies whiteouts and opaque directories. Returns the files that are gone.
    fn remove_whited_out(&mut self, layer: &LayerContents) -> BTreeMap<String, Vec<Visible<'a>>> {
        let mut gone = BTreeMap::new();
        for written in &layer.removed {
            if let Some(path) = resolve_parent(&self.links, written) {
                gone.extend(self.files.remove_entry(&path));
                self.links.remove(&path);
                self.remove_below(&path, &mut gone);
            }
        }
        for written in &layer.opaque {
            if let Some(path) = resolve(&self.links, written) {
                self.remove_below(&path, &mut gone);
            }
        }
        gone
    }

    fn remove_below(&mut self, directory: &str, gone: &mut BTreeMap<String, Vec<Visible<'a>>>) {
        for path in paths_below(&self.files, directory) {
            gone.extend(self.files.remove_entry(&path));
        }
        for path in paths_below(&self.links, directory) {
            self.links.remove(&path);
        }
    }

    /// An entry takes the place of whatever is at its path; one that is no directory also of everything below it.
    fn remove_replaced(&mut self, layer: &LayerContents, gone: &mut BTreeMap<String, Vec<Visible<'a>>>) {
        let is_there = |paths: &[u64], path: &str| paths.binary_search(&fingerprint(path)).is_ok();
        let is_replaced = |path: &str| {
            is_there(&layer.occupied, path)
                || is_there(&layer.directories, path)
                || ancestors(path).any(|above| is_there(&layer.occupied, above))
        };
        self.links.retain(|path, _| !is_replaced(path));
        let replaced: Vec<String> = self.files.keys().filter(|path| is_replaced(path)).cloned().collect();
        for path in replaced {
            gone.extend(self.files.remove_entry(&path));
        }
    }

    fn add_links(&mut self, layer: &LayerContents) {
        let mut links: Vec<&(String, String)> = layer.links.iter().collect();
        links.sort_by_key(|(path, _)| path.bytes().filter(|byte| *byte == b'/').count());
        for (path, target) in links {
            if let Some(path) = resolve_parent(&self.links, path) {
                self.links.insert(path, target.clone());
            }
        }
    }

    fn add_file(&mut self, index: usize, path: String, file: &'a LayerFile, gone: &BTreeMap<String, Vec<Visible<'a>>>) {
        self.links.remove(&path);
        let at_path = self.files.entry(path.clone()).or_default();
        let before = at_path.iter().chain(gone.get(&path).into_iter().flatten());
        let since_before: HashMap<Identity<'_>, usize> = before
            .filter(|visible| visible.layer < index && visible.file.cataloger == file.cataloger)
            .flat_map(|visible| visible.file.found.packages.iter().map(identity).zip(visible.since.iter().copied()))
            .collect();
        let since = file.found.packages.iter().map(identity);
        let since = since.map(|package| since_before.get(&package).copied().unwrap_or(index)).collect();
        at_path.retain(|visible| visible.layer == index && visible.file.cataloger != file.cataloger);
        at_path.push(Visible { layer: index, file, since });
    }

    fn found(&self, layers: &[Layer]) -> Squashed {
        let mut squashed = Squashed::default();
        for (path, visible) in self.files.iter().flat_map(|(path, all)| all.iter().map(move |one| (path, one))) {
            let found = &visible.file.found;
            squashed.packages.extend(found.packages.iter().zip(&visible.since).map(|(package, since)| {
                LayeredPackage { package: package.clone(), path: path.clone(), layer: layers[*since].digest.clone() }
            }));
            squashed.owned.extend(found.owned.iter().cloned());
            squashed.os_releases.extend(found.os_release.iter().map(|release| (path.clone(), release.clone())));
            squashed.problems.extend(found.problems.iter().map(|why| Problem {
                path: path.clone(),
                why: why.clone(),
                layer: layers[visible.layer].digest.clone(),
            }));
        }
        squashed
    }

    /// Wanted paths that are links to files which exist, but which nobody wanted under their own path.
    fn unread_links(&self, layers: &[Layer], catalogers: &[&dyn Cataloger]) -> Vec<Problem> {
        let exists =
            |path: &str| layers.iter().any(|layer| layer.contents.occupied.binary_search(&fingerprint(path)).is_ok());
        let wanted = self.links.keys().filter(|path| catalogers.iter().any(|cataloger| cataloger.wants(path)));
        wanted
            .filter_map(|path| Some((path, resolve(&self.links, path)?)))
            .filter(|(_, target)| !self.files.contains_key(target) && exists(target))
            .map(|(path, target)| {
                let why = format!("it is a link to {target}, which was not read");
                Problem { path: path.clone(), why, layer: None }
            })
            .collect()
    }
}

fn paths_below<T>(paths: &BTreeMap<String, T>, directory: &str) -> Vec<String> {
    if directory.is_empty() {
        return paths.keys().cloned().collect();
    }
    let prefix = format!("{directory}/");
    let from = (Bound::Excluded(prefix.as_str()), Bound::Unbounded);
    let below = paths.range::<str, _>(from).take_while(|(path, _)| path.starts_with(&prefix));
    below.map(|(path, _)| path.clone()).collect()
}
