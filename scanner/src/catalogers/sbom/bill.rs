//! The reader of bills of materials: one pass over the JSON, in which only package URLs and a few names are kept.

use std::fmt;
use std::io::BufRead;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::json::{self, Field, Object};
use super::super::{CatalogError, OsRelease};
use super::trivy::TrivySource;

/// Bytes read of one document. Those of the largest images have some ten million.
const SIZE_LIMIT: u64 = 512 << 20;

/// Components of one document.
const COMPONENT_LIMIT: usize = 200_000;

/// Components without a package URL that are named.
const EXAMPLES: usize = 5;

/// What a bill of materials lists.
#[derive(Debug, Default)]
pub(crate) struct Bill {
    /// Package URLs, as written.
    pub(crate) purls: Vec<String>,
    /// The distribution of the image that it describes.
    pub(crate) distro: Option<OsRelease>,
    /// How many packages have no package URL.
    pub(crate) nameless: usize,
    /// The first of these.
    pub(crate) examples: Vec<String>,
    components: usize,
}

/// The formats, whose components have the same facts under other keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// 1.2 to 1.6 (cyclonedx.org)
    CycloneDx,
    /// 2.x (spdx.github.io)
    Spdx,
    /// 3.x, as JSON-LD
    Spdx3,
    /// anchore/syft, `schema/json`
    Syft,
}

impl Bill {
    /// Reads a document.
    pub(crate) fn read(file: &mut dyn BufRead) -> Result<Self, CatalogError> {
        let mut bill = Self::default();
        let document = Document { bill: &mut bill, is_known: false };
        if json::read_into(document.seed(), file, SIZE_LIMIT)?.is_known {
            return Ok(bill);
        }
        Err(CatalogError::Malformed { line: 1, why: "it is neither CycloneDX nor SPDX nor Syft JSON".to_owned() })
    }

    fn add(&mut self, component: &Facts) {
        match component.purl.text() {
            Some(purl) => self.purls.push(component.source.qualify(purl)),
            None if component.is_package() => {
                self.nameless += 1;
                if self.examples.len() < EXAMPLES {
                    self.examples.push(component.words());
                }
            }
            None if component.is("operating-system") => self.distro = component.distro(),
            None => {}
        }
    }
}

/// The outermost object.
struct Document<'b> {
    bill: &'b mut Bill,
    is_known: bool,
}

impl Object for Document<'_> {
    fn entry<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let format = match key {
            "bomFormat" | "spdxVersion" => {
                self.is_known |= map.next_value::<Field>()?.text().is_some();
                return Ok(());
            }
            "metadata" => return map.next_value_seed(Metadata(self.bill).seed()).map(drop),
            "distro" => {
                self.bill.distro = map.next_value::<Option<SyftDistro>>()?.and_then(SyftDistro::os_release);
                return Ok(());
            }
            "components" => Format::CycloneDx,
            "packages" => Format::Spdx,
            "@graph" => Format::Spdx3,
            "artifacts" => Format::Syft,
            _ => return map.next_value::<IgnoredAny>().map(drop),
        };
        self.is_known |= matches!(format, Format::Spdx3 | Format::Syft);
        map.next_value_seed(Components { bill: self.bill, format })
    }
}

/// CycloneDX's `metadata`, whose `component` is what the document describes: a project need not have a version.
struct Metadata<'b>(&'b mut Bill);

impl Object for Metadata<'_> {
    fn entry<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key != "component" {
            return map.next_value::<IgnoredAny>().map(drop);
        }
        let facts = map.next_value_seed(Component::new(self.0, Format::CycloneDx).seed())?.facts;
        if facts.purl.text().and(facts.version.text()).is_some() {
            self.0.add(&facts);
        }
        Ok(())
    }
}

/// A list of components.
struct Components<'b> {
    bill: &'b mut Bill,
    format: Format,
}

impl<'de> DeserializeSeed<'de> for Components<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Components<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of components")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(component) = seq.next_element_seed(Component::new(self.bill, self.format).seed())? {
            let facts = component.facts;
            self.bill.add(&facts);
            self.bill.components += 1;
            if self.bill.components > COMPONENT_LIMIT {
                return Err(A::Error::custom(format_args!("more than {COMPONENT_LIMIT} components")));
            }
        }
        Ok(())
    }
}

/// One component while it is read. Those in it go into the bill at once.
struct Component<'b> {
    bill: &'b mut Bill,
    format: Format,
    facts: Facts,
}

/// What all formats say of a component.
#[derive(Debug, Default)]
struct Facts {
    name: Field,
    version: Field,
    purl: Field,
    kind: Field,
    source: TrivySource,
}

impl<'b> Component<'b> {
    fn new(bill: &'b mut Bill, format: Format) -> Self {
        Self { bill, format, facts: Facts::default() }
    }
}

impl Object for Component<'_> {
    fn entry<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        use Format::{CycloneDx, Spdx, Spdx3, Syft};
        let field = match (self.format, key) {
            (_, "name") => &mut self.facts.name,
            (CycloneDx | Syft, "version") | (Spdx, "versionInfo") | (Spdx3, "software_packageVersion") => {
                &mut self.facts.version
            }
            (CycloneDx | Syft, "purl") | (Spdx3, "software_packageUrl") => &mut self.facts.purl,
            (CycloneDx | Spdx3, "type") | (Spdx, "primaryPackagePurpose") => &mut self.facts.kind,
            (Spdx, "externalRefs") | (Spdx3, "externalIdentifier") => {
                if let Some(purl) = map.next_value::<References>()?.0 {
                    self.facts.purl = Field::Text(purl);
                }
                return Ok(());
            }
            (CycloneDx, "properties") => {
                self.facts.source = map.next_value()?;
                return Ok(());
            }
            (CycloneDx, "components") => {
                return map.next_value_seed(Components { bill: self.bill, format: self.format });
            }
            _ => return map.next_value::<IgnoredAny>().map(drop),
        };
        *field = map.next_value()?;
        Ok(())
    }
}

impl Facts {
    fn is(&self, kind: &str) -> bool {
        self.kind.text().is_some_and(|own| own.eq_ignore_ascii_case(kind))
    }

    /// Whether advisories could name it. Images, files and what documents are made of (SPDX 3 lists relations, people and
    /// licences beside packages) need no package URL.
    fn is_package(&self) -> bool {
        const PACKAGES: [&str; 4] = ["application", "framework", "library", "software_package"];
        self.kind.text().is_none() || PACKAGES.iter().any(|kind| self.is(kind))
    }

    fn words(&self) -> String {
        let words: Vec<_> = [self.name.text(), self.version.text()].into_iter().flatten().collect();
        words.join(" ").chars().take(100).collect()
    }

    fn distro(&self) -> Option<OsRelease> {
        let (id, version) = (self.name.text()?, self.version.text());
        Some(OsRelease { id: id.to_lowercase(), version_id: version.map(str::to_owned), ..OsRelease::default() })
    }
}

/// The package URL among the references of an SPDX package.
#[derive(Default)]
struct References(Option<String>);

#[derive(Deserialize)]
struct Reference {
    #[serde(default, rename = "referenceType", alias = "externalIdentifierType")]
    kind: Field,
    #[serde(default, rename = "referenceLocator", alias = "identifier")]
    value: Field,
}

impl<'de> Deserialize<'de> for References {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;

        impl<'de> Visitor<'de> for First {
            type Value = References;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of references")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<References, A::Error> {
                let mut first = None;
                while let Some(reference) = seq.next_element::<Reference>()? {
                    if matches!(reference.kind.text(), Some("purl" | "packageUrl")) && first.is_none() {
                        first = reference.value.text().map(str::to_owned);
                    }
                }
                Ok(References(first))
            }
        }

        deserializer.deserialize_seq(First)
    }
}

/// Syft's words for an os-release file.
#[derive(Deserialize)]
struct SyftDistro {
    #[serde(default)]
    id: Field,
    #[serde(default, rename = "versionID")]
    version_id: Field,
    #[serde(default, rename = "versionCodename")]
    version_codename: Field,
    #[serde(default, rename = "prettyName")]
    pretty_name: Field,
}

impl SyftDistro {
    fn os_release(self) -> Option<OsRelease> {
        let owned = |field: &Field| field.text().map(str::to_owned);
        Some(OsRelease {
            id: owned(&self.id)?,
            version_id: owned(&self.version_id),
            version_codename: owned(&self.version_codename),
            pretty_name: owned(&self.pretty_name),
            ..OsRelease::default()
        })
    }
}
