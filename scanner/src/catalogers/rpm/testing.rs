//! Headers made for tests.

/// A header of fields named `name`, `version`, `release`, `epoch`, `source`, `module` and `files` (paths between spaces).
pub(super) fn header(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut made = Made::default();
    for (field, value) in fields {
        match *field {
            "epoch" => made.numbers(1003, &[value.parse().unwrap()]),
            "files" => made.files(value),
            _ => made.text(field, value),
        }
    }
    [&made.count.to_be_bytes()[..], &u32::try_from(made.data.len()).unwrap().to_be_bytes(), &made.entries, &made.data]
        .concat()
}

#[derive(Default)]
struct Made {
    count: u32,
    entries: Vec<u8>,
    data: Vec<u8>,
}

impl Made {
    fn text(&mut self, field: &str, value: &str) {
        let tags = [("name", 1000), ("version", 1001), ("release", 1002), ("source", 1044), ("module", 5096)];
        let (_, tag) = tags.iter().find(|(name, _)| *name == field).unwrap();
        self.entry(*tag, 6, 1, &[value.as_bytes(), &[0]].concat());
    }

    fn files(&mut self, paths: &str) {
        let (folders, names): (Vec<_>, Vec<_>) = paths.split(' ').map(|path| path.rsplit_once('/').unwrap()).unzip();
        let count = u32::try_from(names.len()).unwrap();
        let list = |texts: Vec<String>| texts.concat().into_bytes();
        self.numbers(1116, &(0..count).collect::<Vec<_>>());
        self.entry(1117, 8, count, &list(names.iter().map(|name| format!("{name}\0")).collect()));
        self.entry(1118, 8, count, &list(folders.iter().map(|folder| format!("{folder}/\0")).collect()));
    }

    fn numbers(&mut self, tag: u32, numbers: &[u32]) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        self.entry(tag, 4, u32::try_from(numbers.len()).unwrap(), &bytes);
    }

    fn entry(&mut self, tag: u32, kind: u32, count: u32, data: &[u8]) {
        let offset = u32::try_from(self.data.len()).unwrap();
        self.entries.extend([tag, kind, offset, count].iter().flat_map(|number| number.to_be_bytes()));
        self.data.extend_from_slice(data);
        self.count += 1;
    }
}
