//! Prometheus's answers: three bodies in a row, parted by line breaks. A number comes of them only where it is one.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut bodies = bytes.splitn(3, |byte| *byte == b'\n');
    let mut next = || bodies.next().unwrap_or_default();
    segue_integrations::prometheus::fuzzing::read(next(), next(), next());
});
