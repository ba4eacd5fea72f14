//! Finds a byte in what is mostly other bytes.

/// How many are looked at together: as many as the compiler has wide instructions for.
const STRIDE: usize = 16;

/// Where the first byte is that is one of those.
pub(crate) fn find(bytes: &[u8], is_it: impl Fn(u8) -> bool) -> Option<usize> {
    let mut at = 0;
    for stride in bytes.chunks_exact(STRIDE) {
        if stride.iter().fold(false, |any, &byte| any | is_it(byte)) {
            break;
        }
        at += STRIDE;
    }
    bytes[at..].iter().position(|&byte| is_it(byte)).map(|place| at + place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_found_wherever_it_is() {
        for length in 0..3 * STRIDE {
            let mut bytes = vec![b'a'; length];
            assert_eq!(find(&bytes, |byte| byte == b'x'), None);
            for first in (0..length).rev() {
                bytes[first] = b'x';
                assert_eq!(find(&bytes, |byte| byte == b'x'), Some(first));
            }
        }
    }
}
