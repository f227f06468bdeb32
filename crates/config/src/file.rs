//! Reading a file that a person named, which may be any other file than the one that was meant.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The file's text; none when it is longer than this. Its size is not asked for: a device and a pipe say 0, and
/// `/dev/zero` never ends.
pub(crate) fn text(path: &Path, bytes_max: u64) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read <= bytes_max) {
        let text = String::from_utf8(bytes);
        return text.map(Some).map_err(|no_text| io::Error::new(io::ErrorKind::InvalidData, no_text));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_as_long_as_it_may_be_is_read_and_a_longer_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("four");
        std::fs::write(&path, "four").expect("a file");
        assert_eq!(text(&path, 4).expect("it is there"), Some("four".to_owned()));
        assert_eq!(text(&path, 3).expect("it is there"), None);
    }

    #[test]
    fn a_file_that_never_ends_is_longer_than_any_limit() {
        assert_eq!(text(Path::new("/dev/zero"), 4_096).expect("it is there"), None);
    }

    #[test]
    fn what_is_no_text_is_said_to_be_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        std::fs::write(&path, [0xff, 0xfe]).expect("a file");
        let error = text(&path, 4_096).expect_err("it is no text");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
