//! The only entropy: a CSPRNG seeded by the caller, in two streams, so that one more client
//! changes nothing that the application draws.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Draws ids for the core and numbers for the application.
pub(crate) struct Rng {
    ids: ChaCha12Rng,
    application: ChaCha12Rng,
}

impl Rng {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let ids = ChaCha12Rng::from_seed(seed);
        let mut application = ids.clone();
        application.set_stream(1);
        Self { ids, application }
    }

    /// Bytes nobody can guess.
    pub(crate) fn secret<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.ids.fill_bytes(&mut bytes);
        bytes
    }

    /// A number for the application.
    pub(crate) fn application(&mut self) -> u64 {
        self.application.next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_application_draws_does_not_depend_on_how_many_clients_came() {
        let (mut quiet, mut busy) = (Rng::new([7; 32]), Rng::new([7; 32]));
        let ids: [[u8; 12]; 2] = [busy.secret(), busy.secret()];
        assert_ne!(ids[0], ids[1]);
        assert_eq!(quiet.application(), busy.application());
        assert_eq!(quiet.secret::<12>(), ids[0]);
    }
}
