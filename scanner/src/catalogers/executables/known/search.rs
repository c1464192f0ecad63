//! Looking for text in a file of any size.

use std::io::{self, Read};

use memchr::memmem::Finder;

/// Bytes read at a time.
const WINDOW: usize = 64 << 10;

/// Bytes behind a needle that are shown.
pub(super) const SHOWN: usize = 128;

/// The first answer of `judge`, which is shown what follows behind each place of each needle, some of them twice.
pub(super) fn search<T>(
    file: &mut impl Read,
    needles: &[String],
    mut judge: impl FnMut(&[u8]) -> Option<T>,
) -> io::Result<Option<T>> {
    let finders: Vec<Finder<'_>> = needles.iter().map(Finder::new).collect();
    let kept = SHOWN + needles.iter().map(String::len).max().unwrap_or_default();
    let mut window = Vec::with_capacity(WINDOW + kept);
    loop {
        let read = file.by_ref().take(WINDOW as u64).read_to_end(&mut window)?;
        for finder in &finders {
            let behind = finder.find_iter(&window).map(|place| &window[place + finder.needle().len()..]);
            let is_whole = |behind: &&[u8]| read == 0 || behind.len() >= SHOWN;
            let answer = behind.filter(is_whole).find_map(|behind| judge(&behind[..behind.len().min(SHOWN)]));
            if answer.is_some() {
                return Ok(answer);
            }
        }
        if read == 0 {
            return Ok(None);
        }
        window.drain(..window.len().saturating_sub(kept));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_needles_across_windows_and_at_the_end() {
        let needle = ["needle ".to_owned()];
        for before in [0, 1, WINDOW - 200, WINDOW - 10, WINDOW - 3, WINDOW, 2 * WINDOW - 5] {
            for after in [0, 3, SHOWN, 3 * WINDOW] {
                let file = format!("{}needle 1.2{}", "n".repeat(before), "x".repeat(after));
                let shown = search(&mut file.as_bytes(), &needle, |rest| Some(rest.to_vec())).unwrap().unwrap();
                assert!(shown.starts_with(b"1.2"), "{before} {after}");
                assert_eq!(shown.len(), SHOWN.min(3 + after));
            }
        }
        assert_eq!(search(&mut &b"needl"[..], &needle, |_| Some(())).unwrap(), None);
        assert_eq!(search(&mut &b""[..], &[], |_| Some(())).unwrap(), None);
    }
}
