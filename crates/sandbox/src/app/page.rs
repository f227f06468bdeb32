//! The page at `/`: one look says which version answered.

use segue_handover::wire::ServerId;

/// A colour for each version, always the same one; neighbours differ.
fn hue(version: &str) -> u32 {
    let sum = version.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    sum.wrapping_mul(137) % 360
}

pub(super) fn banner(version: &str, instance: &ServerId) -> String {
    let (version, hue) = (escaped(version), hue(version));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Boards, version {version}</title>\n\
         <style>\n  body {{ margin: 0; font: 18px/1.5 system-ui, sans-serif; }}\n  \
         header {{ padding: 2rem; color: #fff; background: hsl({hue} 60% 35%); }}\n  \
         p {{ padding: 0 2rem; }}\n</style>\n\
         <header><h1>Boards, version {version}</h1></header>\n\
         <p>Answered by {instance}. A board is a websocket at <code>/board/NAME</code>.</p>\n</html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_versions_look_different_and_say_so() {
        let instance = ServerId::parse("i-1").unwrap();
        let (one, two) = (banner("1", &instance), banner("2", &instance));
        assert!(one.contains("version 1") && two.contains("version 2"));
        assert_ne!(hue("1"), hue("2"));
    }

    #[test]
    fn a_version_cannot_write_the_page() {
        let instance = ServerId::parse("i-1").unwrap();
        assert!(!banner("<script>", &instance).contains("<script>"));
    }
}
